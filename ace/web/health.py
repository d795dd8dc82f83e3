"""Is it alive, ready, healthy, and which version is it? These need no key and say nothing of any domain."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from ace.bootstrap import App
from ace.services.health import Status
from ace.utils.metrics import CONTENT_TYPE, exposition
from ace.web.schemas import HealthOut

router = APIRouter(tags=["health"])


class Exposition(Response):
    """Figures as Prometheus reads them."""

    media_type = CONTENT_TYPE


@router.get("/health", response_model=HealthOut, responses={503: {"model": HealthOut, "description": "cannot serve"}})
def health(request: Request) -> JSONResponse:
    """The state of things; 503 when the service cannot serve."""
    found = _app(request).health.check()
    body: dict[str, Any] = {
        "status": found.status,
        "version": f"v{_app(request).version}",
        "database": found.database,
        "faiss": found.faiss,
        "circuit_breakers": {name: found.breakers[name] for name in ("generator", "reflector")},
    }
    return JSONResponse(body, 503 if found.status == Status.UNHEALTHY else 200)


@router.get("/livez", response_class=PlainTextResponse)
async def livez() -> PlainTextResponse:
    """The process runs. Asks nobody, so it answers whatever else is away."""
    return PlainTextResponse("alive")


@router.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "not ready, and why"}})
def readyz(request: Request) -> PlainTextResponse:
    """It can take requests; if not, 503 and why."""
    found = _app(request).health.check()
    if found.status == Status.UNHEALTHY:
        return PlainTextResponse(f"not ready: {found.detail}", 503)
    return PlainTextResponse("ready")


@router.get("/version")
def version(request: Request) -> dict[str, str | None]:
    """Version, commit, and the schema the database is at."""
    app = _app(request)
    return {"version": f"v{app.version}", "commit": app.commit, "schema": app.schema_revision()}


@router.get("/metrics", response_class=Exposition)
def metrics() -> Exposition:
    """Every figure, summed over the processes of this data directory, in Prometheus' text format."""
    return Exposition(exposition())


def _app(request: Request) -> App:
    app: App = request.app.state.ace
    return app
