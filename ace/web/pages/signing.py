"""Sign in with an API key, and out again. The key is sent once, in a form; the browser keeps a signed cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response

from ace.bootstrap import App
from ace.errors import TooManyRequests, Unauthenticated
from ace.services.sessions import LIFETIME_S
from ace.web.access import Gate, check_query
from ace.web.pages import frame
from ace.web.pages.door import COOKIE, Visit, body_of, check_sender, fields, page, router


@router.get("/sign-in")
def sign_in(request: Request) -> Response:
    check_query(request, {"next"})
    gate: Gate = request.app.state.gate
    if gate.local(request) is not None:
        return RedirectResponse("/", 303)
    return _form(request, request.query_params.get("next", "/"))


@router.post("/sign-in")
def signed_in(request: Request, body: Annotated[bytes, Depends(body_of)]) -> Response:
    app: App = request.app.state.ace
    gate: Gate = request.app.state.gate
    check_sender(request)
    form = fields(body)
    try:
        cookie = gate.trying(request, lambda: app.sessions.begin(form.get("key", "").strip()))
    except (Unauthenticated, TooManyRequests) as error:
        status = 401 if isinstance(error, Unauthenticated) else 429
        return _form(request, form.get("next", "/"), wrong=str(error), status=status)
    answer = RedirectResponse(_inside(form.get("next", "/")), 303)
    answer.set_cookie(COOKIE, cookie, max_age=LIFETIME_S, path="/", httponly=True, samesite="strict",
                      secure=_encrypted(request))  # fmt: skip
    return answer


@page("/sign-out", method="POST")
def sign_out(visit: Visit) -> Response:
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=_encrypted(visit.request))
    return answer


def _form(request: Request, after: str, *, wrong: str = "", status: int = 200) -> Response:
    app: App = request.app.state.ace
    return frame.render("sign_in.html", request, now=app.clock.now(), status=status, wrong=wrong, after=_inside(after))


def _inside(path: str) -> str:
    """A path of this site; never another's address."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


def _encrypted(request: Request) -> bool:
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
