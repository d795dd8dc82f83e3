"""`ace serve`: the HTTP service."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from ace.errors import InvalidInput

if TYPE_CHECKING:
    from ace.config import Settings

NO_MCP = "no /mcp: pip install 'ace-playbook-server[mcp]'"


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on; default: ACE_HOST, 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="default: ACE_PORT, 8000")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="server processes; default: ACE_WORKERS, 1")] = None,
) -> None:
    """Serve the HTTP API, its documentation at /docs, MCP at /mcp, and /metrics, until told to stop.

    Without API keys (`ace keys create --role admin`) it listens on this machine alone.

    Example: ace serve --host 0.0.0.0 --workers 4
    """
    from ace import config

    config.hand_down(host=host, port=port, workers=workers)
    settings = config.get_settings()
    _check(settings)
    doors = "API: /docs, metrics: /metrics, " + ("MCP: /mcp" if find_spec("mcp") else NO_MCP)
    typer.echo(f"ace: http://{settings.host}:{settings.port}  ({doors})", err=True)
    _run(settings)


def _check(settings: Settings) -> None:
    """Nothing is started that could not answer. Raises SchemaMismatch, StoreUnavailable, InvalidInput."""
    from ace.bootstrap import App
    from ace.config import is_loopback
    from ace.system import private

    private.restrict_data(settings.data_dir, everything=True)
    if not App(settings).keys.exist() and not is_loopback(settings.host):
        remedy = "Make one first: ace keys create --role admin. Or listen on 127.0.0.1"
        raise InvalidInput("--host", f"{settings.host} is open to others, and there are no API keys yet", remedy)


def _run(settings: Settings) -> None:
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from ace.utils import logs

    Granian(
        "ace.web.app:create",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        respawn_failed_workers=True,
        workers_kill_timeout=15,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=logs.granian(settings),
    ).serve()
