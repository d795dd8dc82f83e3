"""Errors for people: a browser that opens a page is told in a page; everything else in a document of its own kind."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from fastapi.responses import RedirectResponse
from starlette.requests import Request
from starlette.responses import Response

from ace.web import mcp
from ace.web.border import Scope
from ace.web.pages import frame
from ace.web.problems import Problem

MACHINES = ("/v1", "/docs", "/openapi.json", "/health", "/livez", "/readyz", "/version", "/metrics", "/static")


def dressed(scope: Scope, problem: Problem) -> Response:
    """The problem as whoever asked can read it. Who is not signed in may do so."""
    request = Request(scope)
    if request.url.path == mcp.PATH:
        return mcp.told(problem)
    if not wants_page(request):
        return problem
    if problem.status_code == 401:
        return _to_sign_in(request)
    page = frame.render("error.html", request, now=datetime.now(UTC), status=problem.status_code,
                        title=problem.title, detail=problem.detail)  # fmt: skip
    for name in ("retry-after", "allow", "connection"):
        if name in problem.headers:
            page.headers[name] = problem.headers[name]
    return page


def wants_page(request: Request) -> bool:
    """Is it a browser that wants to show what comes?"""
    if request.url.path.startswith(MACHINES):
        return False
    return frame.is_fragment(request) or "text/html" in request.headers.get("accept", "")


def _to_sign_in(request: Request) -> Response:
    if frame.is_fragment(request):
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(asked)}" if request.method == "GET" else "/sign-in", 303)
