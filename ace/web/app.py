"""The application: routes, errors as problems, the border around it all. `create` is what the server process calls."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from ace.bootstrap import App
from ace.errors import AceError
from ace.utils import logs
from ace.utils.traced_http import TracedRequests
from ace.web import (
    administration,
    bullets,
    context,
    documentation,
    domains,
    episodes,
    evidence,
    health,
    history,
    mcp,
    otlp,
    reviews,
)
from ace.web.access import Gate
from ace.web.border import Asgi, Border, Receive, Scope, Send, broken
from ace.web.described import DescribedApi
from ace.web.pages import site
from ace.web.pages.refusals import dressed
from ace.web.problems import Problem, invalid, problem_of
from ace.web.proxy.app import PREFIX, Proxy

GUARDED = (context, episodes, domains, bullets, evidence, reviews, history, administration)
BEARER = HTTPBearer(auto_error=False, description="an API key, as `ace keys create` prints it")


def create(app: App | None = None) -> Asgi:
    """The ASGI application of one server process."""
    ace = app or App()
    settings = ace.settings
    logs.configure(settings, "server", stream=sys.stdout)
    routes = api(ace)
    proxy = routes.state.proxy = Proxy(ace, routes.state.gate)
    border = partial(Border, routes, deadline_s=settings.request_deadline_s, observe=ace.observe_request, dress=dress)
    spans = border(max_body=settings.otlp_max_body_bytes, let_in=otlp.let_in(routes.state.gate), check=otlp.check)
    inside = border(max_body=settings.max_body_bytes)
    routes.state.mcp = mcp.mount(routes, inside, max_body=settings.max_body_bytes)
    traced = TracedRequests(Fork(inside, {PREFIX: proxy}))
    return Fork(traced, {otlp.PREFIX: spans})  # taking spans in makes none, or they would never end


class Fork:
    """Model requests to the proxy, which no border holds up; spans to a border of their own; the rest to the border."""

    def __init__(self, border: Asgi, others: Mapping[str, Asgi]) -> None:
        self._border, self._others = border, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        taker = next((app for prefix, app in self._others.items() if path.startswith(prefix)), self._border)
        await taker(scope, receive, send)


def dress(scope: Scope, problem: Problem) -> Response:
    """The problem as whoever asked can read it."""
    return (otlp.as_status if scope["path"].startswith(otlp.PREFIX) else dressed)(scope, problem)


def api(ace: App) -> FastAPI:
    """The routes, without the border. Every operation under /v1 needs a role."""
    made = DescribedApi(title="ACE Playbook", version=ace.version, lifespan=_lifespan, docs_url=None, redoc_url=None,
                        description="Playbooks that agents learn from what happens to them.")  # fmt: skip
    made.state.ace, made.state.gate = ace, Gate(ace)
    made.include_router(health.router)
    made.include_router(documentation.router)
    made.include_router(site.router)
    for module in GUARDED:
        made.include_router(module.router, dependencies=[Depends(BEARER)])
    made.include_router(otlp.router)
    made.add_exception_handler(AceError, _ours)
    made.add_exception_handler(RequestValidationError, _invalid)
    made.add_exception_handler(HTTPException, _http)
    made.add_exception_handler(Exception, _unforeseen)
    declared = [route for module in (*GUARDED, otlp) for route in module.router.routes if isinstance(route, APIRoute)]
    unguarded = [route.path for route in declared if not hasattr(route.endpoint, "needs")]
    if unguarded:
        raise AssertionError(f"operations without a role: {unguarded}")
    return made


@asynccontextmanager
async def _lifespan(made: FastAPI) -> AsyncIterator[None]:
    with made.state.ace.serving():
        yield
    for door in ("proxy", "mcp"):
        if found := getattr(made.state, door, None):
            await found.close()


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, AceError)
    return dress(request.scope, problem_of(error))


async def _invalid(request: Request, error: Exception) -> Problem:
    del request
    assert isinstance(error, RequestValidationError)
    return invalid(error.errors())


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    titles = {404: "Not found", 405: "Method not allowed"}
    title = titles.get(error.status_code, "Request refused")
    detail = f"{request.method} {request.url.path}: {error.detail}. See /docs."
    return dress(request.scope, Problem(error.status_code, title, detail, headers=_allowed(request) or error.headers))


def _allowed(request: Request) -> dict[str, str]:
    """`Allow` for a path that is there: every method it takes, not those of one route alone."""
    app: DescribedApi = request.app
    methods = app.methods(getattr(request.scope.get("route"), "path", ""))
    return {"Allow": ", ".join(methods)} if methods else {}


async def _unforeseen(request: Request, error: Exception) -> Response:
    """The answer only: the error itself goes up to the border, which logs it."""
    del error
    return dress(request.scope, broken(request.scope["ace.request_id"]))
