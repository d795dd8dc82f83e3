"""`ace keys`: who may use the HTTP service."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from ace.cli.grammar import Domains, Json
from ace.errors import InvalidInput
from ace.models.access import ApiKey, Principal, Role

app = typer.Typer(
    help="API keys: make, list, revoke.\n\nExample: ace keys create --role write --expires 90d", no_args_is_help=True
)

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app.command()
def create(
    role: Annotated[Role, typer.Option(help="each role may do what those before it may")] = Role.WRITE,
    domain: Domains = None,
    label: Annotated[str, typer.Option(help="a name to know it by")] = "",
    expires: Annotated[str | None, typer.Option(help="90d, 12h, 30m; default: never")] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it, this once.

    Example: ace keys create --role write --domain customer-a --label "their agent" --expires 90d
    """
    from ace.bootstrap import App

    seconds = _seconds(expires) if expires else None
    key, token = App().keys.create(Principal(), role=role, domains=domain, label=label, expires_in_s=seconds)
    if as_json:
        typer.echo(json.dumps({**_shown(key), "token": token}))
    else:
        typer.echo(token)
        typer.secho("This is the only time it is shown. Send it as: Authorization: Bearer <key>", err=True)


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """Every key there ever was, without its secret.

    Example: ace keys list
    """
    from ace.bootstrap import App
    from ace.cli import present

    rows = [_shown(key) for key in App().keys.list(Principal())]
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        present.table(f"{len(rows)} keys", rows)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="as `ace keys list` shows it")], as_json: Json = False) -> None:
    """End a key; every server process refuses it within a second.

    Example: ace keys revoke k3j5x7q2abk3j5x7
    """
    from ace.bootstrap import App

    App().keys.revoke(Principal(), key_id)
    typer.echo(json.dumps({"id": key_id, "revoked": True}) if as_json else f"{key_id} is revoked.")


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not found:
        raise InvalidInput("--expires", f"{text!r} is not a duration", "Write 90d, 12h, 30m or 45s")
    return int(found[1]) * SECONDS[found[2]]


def _shown(key: ApiKey) -> dict[str, object]:
    return {"id": key.id, "role": key.role.value, "domains": list(key.domains) if key.domains else "all",
            "label": key.label, "created": _time(key.created_at), "expires": _time(key.expires_at) or "never",
            "revoked": _time(key.revoked_at) or "no"}  # fmt: skip


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
