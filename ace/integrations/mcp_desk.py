"""Where the calls of an MCP connection go: the tools know neither the process nor the server behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ace.core.validation import check_domain
from ace.errors import InvalidInput, NotFound
from ace.integrations.needs import needs
from ace.models.access import Role
from ace.sdk.calls import Call

with needs("mcp"):
    from mcp.server.mcpserver import Context

T = TypeVar("T")
DESK = "ace.desk"  # in the scope of an HTTP request


class Door(Protocol):
    """Whoever carries calls out."""

    async def send(self, call: Call[T]) -> T: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Where the calls of one connection go: through which door, for which domain, and in which role at most.

    `domain` is the only one there is; without it each call names one, of `known` if these are counted.
    """

    door: Door
    domain: str | None = None
    known: tuple[str, ...] = ()
    role: Role = Role.ADMIN

    def of(self, named: str) -> str:
        """The domain that is meant. Raises InvalidInput, NotFound."""
        if named:
            check_domain(named)
        if self.domain is None and not named:
            remedy = f"Name one of {', '.join(self.known)}" if self.known else "Name the domain whose playbook it is"
            raise InvalidInput("domain", "is missing", remedy)
        if self.domain is not None and named not in ("", self.domain):
            raise NotFound(f"There is no domain {named}.")
        return self.domain or named


def desk(ctx: Context) -> Desk:
    """The desk of whoever asks: over HTTP that of the request, over stdio that of the process."""
    request = ctx.request_context.request
    lifespan: Any = ctx.request_context.lifespan_context
    found: Desk = lifespan if request is None else request.scope[DESK]
    return found
