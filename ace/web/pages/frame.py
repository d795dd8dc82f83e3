"""Templates, and what surrounds every page: navigation, theme, the policy that lets it load nothing from elsewhere.

A template's text is ours; every value put into it is escaped, and what cannot be seen in it is spelt out.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request

from ace.models.access import Principal, Role
from ace.models.playbook import PlaybookStage, Section
from ace.web.pages import text

TEMPLATES = Path(__file__).parents[1] / "templates"
STATIC = Path(__file__).parents[1] / "static"
THEMES = ("light", "dark")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # without it a form is sent with no origin to check
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "HX-Request",
}
PARTS = (("playbook", "", "Playbook"), ("review", "/review", "Review"), ("episodes", "/episodes", "Episodes"),
         ("history", "/history", "History"), ("map", "/map", "Map"), ("figures", "/figures", "Figures"))  # fmt: skip
"""A domain's pages: name, path, title."""


def render(
    template: str, request: Request, *, now: datetime, status: int = 200, caller: Principal | None = None,
    form_token: str = "", domain: str | None = None, part: str = "", **values: Any,
) -> HTMLResponse:  # fmt: skip
    """The template as an answer. `part` is where we are, by its name in the navigation."""
    theme = request.cookies.get("ace_theme")
    told = {
        "who": caller, "form_token": form_token, "domain": domain, "part": part,
        "parts": [one for one in PARTS if one[0] != "review" or (caller and caller.role.includes(Role.REVIEW))],
        "theme": theme if theme in THEMES else "", "bare": is_fragment(request),
    }  # fmt: skip
    made = environment().get_template(template)
    html = made.render(**told, **values, when=lambda at: text.when(at, now))
    return HTMLResponse(html, status, headers=HEADERS)


def is_fragment(request: Request) -> bool:
    """Does a page ask for a part of itself?"""
    return request.headers.get("hx-request") == "true"


@cache
def environment() -> Environment:
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
                       finalize=_spelt_out, trim_blocks=True, lstrip_blocks=True, auto_reload=False)  # fmt: skip
    made.filters |= {
        "told": text.told,
        "brief": text.brief,
        "number": text.number,
        "forgiving": text.forgiving,
        "short": text.short,
    }
    made.globals |= {"stages": list(PlaybookStage), "sections": list(Section), "static": _static, "Role": Role}
    return made


def _spelt_out(value: Any) -> Any:
    """Plain text made visible; what is HTML already stays."""
    return text.plain(value) if type(value) is str else value


@cache
def _static(name: str) -> str:
    """The address of a file of ours; it changes with its content, so it may be kept for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"
