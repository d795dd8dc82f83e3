"""An ASGI middleware, the outermost: counts, times and traces each request, by its route's template.

http_requests_total{method, route, status}    a path that no route knows is `unmatched`, a strange method `OTHER`
ace_http_request_duration_seconds{route}      until the last byte was handed over
span "<METHOD> <route>"                       in the caller's trace, when there is one
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ace.utils import metrics, tracing

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ObservedRequests:
    """`app`, observed."""

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, statuses = time.perf_counter(), [500]  # a request that ends in an error before it began to answer

        async def watched(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses[0] = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        try:
            with tracing.server_span(method, _headers(scope)) as span:
                try:
                    await self._app(scope, receive, watched)
                finally:
                    _describe(span, method, route_of(scope), statuses[0])
        finally:
            route = route_of(scope)
            metrics.count("http_requests_total", method, route, str(statuses[0]))
            metrics.observe("ace_http_request_duration_seconds", time.perf_counter() - started, route)


def route_of(scope: Scope) -> str:
    """The template of the route that took the request, such as `/v1/domains/{domain_id}/bullets`."""
    whole = scope.get("fastapi", {}).get("effective_route_context")  # with the prefixes of included routers
    template = getattr(whole, "path", None) or getattr(scope.get("route"), "path", None)
    return template if isinstance(template, str) else "unmatched"


def _headers(scope: Scope) -> dict[str, str]:
    if not tracing.is_enabled():
        return {}
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _describe(span: Any, method: str, route: str, status: int) -> None:
    if span is None:
        return
    from opentelemetry.trace import StatusCode

    span.update_name(f"{method} {route}")
    span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if status >= 500:
        span.set_status(StatusCode.ERROR)
