"""A playbook for every agent that speaks the Model Context Protocol: `ace mcp` over stdio, `/mcp` of `ace serve`.

What there is to ask stands in `mcp_tools` and `mcp_resources`; here it becomes a server, strict about what comes in.
Errors of ours are told to the model, with the field and the remedy; of any other nothing is shown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import cleandoc
from typing import Any

from pydantic import ConfigDict, ValidationError

from ace import __version__
from ace.core.validation import check_texts
from ace.errors import AceError, Forbidden, InvalidInput, NotFound
from ace.integrations import mcp_resources as resources
from ace.integrations.mcp_desk import Desk, desk
from ace.integrations.mcp_tools import OFFERS, Offer
from ace.integrations.needs import needs
from ace.models.access import Role

with needs("mcp"):
    from mcp.server.mcpserver import Context, MCPServer
    from mcp.server.mcpserver.exceptions import (
        ResourceError,
        ResourceNotFoundError,
        ToolError,
        UnexpectedToolError,
    )
    from mcp.server.mcpserver.prompts import Prompt
    from mcp.server.mcpserver.tools import Tool
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp.server.transport_security import TransportSecuritySettings
    from mcp.shared.exceptions import MCPError
    from mcp.types import INVALID_PARAMS, ToolAnnotations

INSTRUCTIONS = """\
ACE remembers what agents learned. Before a task call get_context, and use the bullets that fit. After it call
record_outcome with the receipt, your answer, the ids of the bullets you used, and whether it was right if something
verified that. What you learned and will want to know again goes to add_insight."""

Lifespan = Callable[[MCPServer[Any]], AbstractAsyncContextManager[Any]]


class PlaybookServer(MCPServer[Any]):
    """Tools, resources and a prompt. Over stdio `lifespan` gives the desk; over HTTP each request has its own."""

    def __init__(self, lifespan: Lifespan | None = None) -> None:
        super().__init__(
            "ace-playbook", title="ACE Playbook", version=__version__, instructions=INSTRUCTIONS,
            tools=[_tool(offer) for offer in OFFERS], lifespan=lifespan, subscriptions=False, log_level="WARNING",
        )  # fmt: skip
        self._roles = {offer.name: offer.role for offer in OFFERS}
        self.resource("ace://{domain}/playbook", mime_type="text/markdown")(resources.playbook)
        self.resource("ace://{domain}/bullets/{bullet_id}", mime_type="application/json")(resources.bullet)
        self.add_prompt(Prompt.from_function(resources.begin_task))

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Context | None = None) -> Any:
        """The tool's answer. Raises ToolError, in words for the model."""
        try:
            if context is not None and name in self._roles:
                _check_role(desk(context), name, self._roles[name])
            check_texts(arguments, "arguments")
            return await super().call_tool(name, arguments, context)
        except AceError as error:
            raise ToolError(str(error)) from None
        except ToolError as error:
            if told := _told(error, name):
                raise ToolError(told) from error.__cause__
            raise

    async def read_resource(self, uri: Any, context: Context | None = None) -> Any:
        """The resource. Raises ResourceError, in words for the model."""
        try:
            return await super().read_resource(uri, context)
        except ResourceError as error:
            if found := _ours(error):
                kind = ResourceNotFoundError if isinstance(found, NotFound | InvalidInput) else ResourceError
                raise kind(str(found)) from None
            raise

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context | None = None
    ) -> Any:
        """The prompt. Raises MCPError, in words for the person."""
        try:
            return await super().get_prompt(name, arguments, context)
        except ValueError as error:
            if found := _ours(error):
                raise MCPError(code=INVALID_PARAMS, message=str(found)) from None
            raise


def serve(desk: Desk) -> None:
    """Serve over this process's stdin and stdout, until the other side hangs up."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[Any]) -> AsyncIterator[Desk]:
        try:
            yield desk
        finally:
            await desk.door.close()

    PlaybookServer(lifespan).run("stdio")


def sessions(max_body: int) -> StreamableHTTPSessionManager:
    """What serves requests over HTTP, each by itself, of whoever was let in: hosts and origins are not looked at."""
    server = PlaybookServer()
    anyone = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    server.streamable_http_app(
        stateless_http=True, json_response=True, max_request_body_size=max_body, transport_security=anyone
    )
    return server.session_manager


def _tool(offer: Offer) -> Tool:
    """The tool, which takes no argument that it does not name."""
    words = f"{cleandoc(offer.function.__doc__ or '')}\n\nNeeds the role `{offer.role}`."
    hints = ToolAnnotations(read_only_hint=offer.reads, destructive_hint=offer.destroys, idempotent_hint=offer.repeats,
                            open_world_hint=False)  # fmt: skip
    title = offer.name.replace("_", " ").capitalize()
    made = Tool.from_function(offer.function, title=title, description=words, annotations=hints)
    loose = made.fn_metadata.arg_model
    strict: Any = type(loose.__name__, (loose,), {"model_config": ConfigDict(extra="forbid"), "__module__": __name__})
    made.fn_metadata.arg_model = strict
    return made.model_copy(update={"parameters": strict.model_json_schema()})


def _check_role(found: Desk, name: str, needed: Role) -> None:
    if not found.role.includes(needed):
        raise Forbidden(
            f"These tools were started for the role '{found.role}', {name} needs '{needed}'. "
            f"Start them with: ace mcp --role {needed}."
        )


def _ours(error: BaseException | None) -> AceError | None:
    """The error of ours at the bottom of it."""
    while error is not None and not isinstance(error, AceError):
        error = error.__cause__
    return error


def _told(error: ToolError, name: str) -> str | None:
    """What the model is told of it; None for what it cannot mend."""
    if found := _ours(error):
        return str(found)
    if isinstance(error.__cause__, ValidationError) and not isinstance(error, UnexpectedToolError):
        return str(_refused(error.__cause__, name))
    return None


def _refused(error: ValidationError, name: str) -> InvalidInput:
    """The first argument that cannot be used, by its name."""
    first = error.errors(include_url=False)[0]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    problem = "is not known" if first["type"] == "extra_forbidden" else first["msg"]
    return InvalidInput(path[:200] or "arguments", problem, f"See the input schema of {name}")
