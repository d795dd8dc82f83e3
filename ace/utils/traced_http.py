"""An ASGI middleware, the outermost: one span a request, named by its route's template, in the caller's trace.

Without a collector (`ace.utils.tracing`) it hands the request on and does nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ace.utils import tracing

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class TracedRequests:
    """`app`, traced."""

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not tracing.is_enabled():
            await self._app(scope, receive, send)
            return
        statuses = [500]  # a request that ends in an error before it began to answer

        async def watched(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses[0] = message["status"]
            await send(message)

        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        with tracing.server_span("request", headers) as span:
            try:
                await self._app(scope, receive, watched)
            finally:
                tracing.describe_request(span, scope["method"], route_of(scope), statuses[0])


def route_of(scope: Scope) -> str:
    """The template of the route that took the request, such as `/v1/domains/{domain_id}/bullets`."""
    whole = scope.get("fastapi", {}).get("effective_route_context")  # with the prefixes of included routers
    template = getattr(whole, "path", None) or getattr(scope.get("route"), "path", None)
    return template if isinstance(template, str) else "unknown"
