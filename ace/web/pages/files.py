"""Styles, scripts: files of our own, each under an address that changes with its content."""

from __future__ import annotations

from functools import cache

from fastapi import Request
from fastapi.responses import Response

from ace.errors import NotFound
from ace.web.access import check_query
from ace.web.pages.door import router
from ace.web.pages.frame import STATIC

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/static/{name}")
def static(request: Request, name: str) -> Response:
    check_query(request, {"v"})
    data, media_type = _file(name)
    return Response(data, media_type=media_type, headers={"Cache-Control": FOR_EVER})


@router.get("/favicon.ico")
def icon(request: Request) -> Response:
    check_query(request, ())
    data, media_type = _file("icon.svg")
    return Response(data, media_type=media_type, headers={"Cache-Control": FOR_EVER})


def _file(name: str) -> tuple[bytes, str]:
    found = _files().get(name)
    if found is None:
        raise NotFound(f"There is no file {name[:80]!r}.")
    return found


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    return {file.name: (file.read_bytes(), TYPES[file.suffix]) for file in STATIC.iterdir() if file.suffix in TYPES}
