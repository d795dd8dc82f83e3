"""`/mcp`: the playbook for agents that speak the Model Context Protocol, over streamable HTTP.

Behind the door each tool is one or more calls of /v1, made in this process with the caller's own headers: so a key gets
by MCP exactly what it gets without, and figures count both. Nothing is kept between two requests, and any process may
answer the next one.

    POST /mcp                     the domain is named in each call, unless the key covers only one
    POST /mcp?domain=customer-a   this one, and no other

The library is loaded when somebody asks. Where it is not installed, that is the answer.
"""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.routing import Route

from ace.core.validation import check_domain
from ace.models.access import Principal, Role
from ace.sdk.calls import Call
from ace.sdk.remote import answer, request
from ace.web.access import Gate, check_query, no_domain
from ace.web.border import Asgi, Receive, Scope, Send
from ace.web.problems import Problem

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

T = TypeVar("T")
PATH = "/mcp"
HANDED_ON = ("authorization", "host")
INVALID_REQUEST, INTERNAL_ERROR = -32600, -32603  # of JSON-RPC 2.0


def mount(api: FastAPI, interface: Asgi, *, max_body: int) -> McpDoor:
    """Put the door into `api`; its calls go to `interface`."""
    door = McpDoor(api.state.gate, interface, max_body)
    api.router.routes.append(Route(PATH, door, methods=["POST"]))
    return door


def told(problem: Problem) -> Response:
    """A problem as an MCP client reads it: the JSON-RPC error of a request that got no further."""
    code = INTERNAL_ERROR if problem.status_code >= 500 else INVALID_REQUEST
    error = {"code": code, "message": problem.detail, "data": json.loads(bytes(problem.body))}
    headers = {name: value for name, value in problem.headers.items() if not name.startswith("content-")}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, problem.status_code, headers)


class Inside:
    """Sends the calls of one request to the interface of this process, as if the caller had sent them there."""

    def __init__(self, interface: Asgi, caller: Request) -> None:
        address = (caller.client.host, caller.client.port) if caller.client else ("unknown", 0)
        self._transport = httpx.ASGITransport(interface, client=address)
        self._headers = {name: caller.headers[name] for name in HANDED_ON if name in caller.headers}

    async def send(self, call: Call[T]) -> T:
        """The answer. Raises what the interface meant."""
        asked = request(call)
        headers = {**asked.pop("headers", {}), **self._headers}
        async with httpx.AsyncClient(transport=self._transport, base_url="http://inside", trust_env=False) as client:
            return call.read(answer(await client.request(**asked, headers=headers)))

    async def close(self) -> None:
        """Nothing is held."""


class McpDoor:
    """Lets in whoever /v1 lets in, and hands them to the MCP server of this process."""

    def __init__(self, gate: Gate, interface: Asgi, max_body: int) -> None:
        self._gate, self._interface, self._max_body = gate, interface, max_body
        self._keeper: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._end = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = SimpleNamespace(path=PATH)
        caller = Request(scope, receive)
        principal = await to_thread.run_sync(self._admit, caller)
        sessions = await self._sessions()
        self._seat(caller, principal)
        await sessions.handle_request(scope, receive, send)

    async def close(self) -> None:
        """End what serves requests."""
        self._end.set()
        if self._keeper is not None:
            await asyncio.wait({self._keeper})

    def _admit(self, caller: Request) -> Principal:
        """Who asks. Raises what the gate raises, and NotFound for a domain that is not theirs."""
        check_query(caller, {"domain"})
        self._gate.not_from_a_page(caller)
        principal, domain = self._gate.enter(caller, Role.READ, None), caller.query_params.get("domain")
        if domain is not None and not principal.sees(check_domain(domain)):
            raise no_domain(domain)
        return principal

    def _seat(self, caller: Request, principal: Principal) -> None:
        """Give the request its desk. Roles are looked at further in."""
        from ace.integrations.mcp_desk import DESK, Desk

        covered = principal.domains or ()
        only = caller.query_params.get("domain") or (covered[0] if len(covered) == 1 else None)
        caller.scope[DESK] = Desk(door=Inside(self._interface, caller), domain=only, known=covered)

    async def _sessions(self) -> StreamableHTTPSessionManager:
        """What serves requests; the first who asks has it opened. Raises MissingExtra."""
        if self._keeper is None or self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._keeper = asyncio.create_task(self._keep(self._opened))
        either: set[asyncio.Future[Any]] = {self._keeper, self._opened}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._opened.done():
            self._keeper.result()
        return self._opened.result()

    async def _keep(self, opened: asyncio.Future[StreamableHTTPSessionManager]) -> None:
        """Hold it open: the task that entered it has to leave it."""
        sessions = await to_thread.run_sync(_load, self._max_body)
        async with sessions.run():
            opened.set_result(sessions)
            await self._end.wait()


def _load(max_body: int) -> StreamableHTTPSessionManager:
    from ace.integrations.mcp import sessions

    return sessions(max_body)
