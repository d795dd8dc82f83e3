"""The door of every page: who comes, what they may, what they ask; before the page's own function runs.

    @page("/domains/{domain}/review/{item_id}", Role.REVIEW, query={"done"})
    def item(visit: Visit) -> Response: …

A browser shows who it is by the session's cookie alone; a form must be one that this session was shown, and be sent
from a page of this host. What a key does not cover is answered like what does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from ace.bootstrap import App
from ace.errors import Forbidden, InvalidInput
from ace.models.access import Principal, Role
from ace.web.access import Gate, check_query
from ace.web.pages import frame

router = APIRouter(include_in_schema=False)
COOKIE = "ace_session"
MAX_FIELDS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """Somebody at a page: the request, and what was found out about it."""

    request: Request
    app: App
    caller: Principal
    cookie: str = ""
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        """The domain of the address, which the caller sees."""
        return str(self.request.path_params["domain"])

    @property
    def by(self) -> str:
        """Who decides, for the record."""
        return self.caller.key_id or "local"

    def asked(self, name: str, most: int = 200) -> str | None:
        """A parameter of the query; None when it is not given or empty. Raises InvalidInput."""
        return _storable(name, self.request.query_params.get(name, ""), most) or None

    def filled(self, name: str, most: int = 10_000) -> str:
        """A field of the form. Raises InvalidInput."""
        return _storable(name, self.form.get(name, ""), most)

    def may(self, role: Role) -> bool:
        return self.caller.role.includes(role)

    def show(self, template: str, *, part: str = "", status: int = 200, **values: Any) -> Response:
        """The page, in its frame."""
        domain = self.request.path_params.get("domain")
        return frame.render(
            template, self.request, now=self.app.clock.now(), status=status, caller=self.caller, domain=domain,
            form_token=self.app.sessions.form_token(self.cookie), part=part, visit=self, **values,
        )  # fmt: skip


def page(
    path: str, role: Role | None = Role.READ, *, query: Collection[str] = (), method: str = "GET"
) -> Callable[[Callable[[Visit], Response]], Callable[[Visit], Response]]:
    """Let the function answer at this path, for those whose key has this role."""

    def declare(function: Callable[[Visit], Response]) -> Callable[[Visit], Response]:
        def endpoint(request: Request, body: Annotated[bytes, Depends(body_of)]) -> Response:
            check_query(request, query)
            return function(_visit(request, role, body))

        router.add_api_route(path, endpoint, methods=[method], response_model=None, name=function.__name__)
        return function

    return declare


def back(path: str, **query: str) -> RedirectResponse:
    """Go and look: the answer to a form that was carried out."""
    return RedirectResponse(path + (f"?{urlencode(query)}" if query else ""), status_code=303)


def check_sender(request: Request) -> None:
    """Raises Forbidden unless the form was sent from a page of this very host."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    same = urlsplit(origin).netloc == host if origin else request.headers.get("sec-fetch-site") == "same-origin"
    if not same:
        raise Forbidden("The form was sent from another site. Open the page here and send it again.")


def _visit(request: Request, role: Role | None, body: bytes) -> Visit:
    app: App = request.app.state.ace
    gate: Gate = request.app.state.gate
    cookie, form = request.cookies.get(COOKIE, ""), fields(body)
    here = gate.local(request)
    caller = here if here is not None else app.sessions.caller(cookie)
    cookie = cookie if here is None else ""
    gate.admit(caller, role or Role.READ, request.path_params.get("domain"))
    if request.method == "POST":
        check_sender(request)
        app.sessions.check_form(cookie, form.get("form_token", ""))
    return Visit(request=request, app=app, caller=caller, cookie=cookie, form=form)


async def body_of(request: Request) -> bytes:
    return await request.body()


def fields(body: bytes) -> dict[str, str]:
    """What a form holds. Raises InvalidInput."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InvalidInput("form", "cannot be read", "Reload the page and send it again") from None
    if len(dict(pairs)) != len(pairs):
        raise InvalidInput("form", "has a field twice", "Reload the page and send it again")
    return dict(pairs)


def _storable(name: str, value: str, most: int) -> str:
    if len(value) > most:
        raise InvalidInput(name, f"has {len(value):,} characters, the limit is {most:,}", "Shorten it")
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidInput(name, "holds a NUL or half a character", "Send it without")
    return value
