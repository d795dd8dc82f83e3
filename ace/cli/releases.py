"""`ace release`: names for positions of a playbook."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from ace.cli.grammar import Domain, Json
from ace.models.release import Release

app = typer.Typer(
    help="Releases: name the playbook as it is now, to come back to it.\n\n"
    "Example: ace release create v3 --domain customer-a",
    no_args_is_help=True,
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="such as 2026-11 or v3")],
    domain: Domain = "default",
    note: Annotated[str, typer.Option(help="what it is good for")] = "",
    as_json: Json = False,
) -> None:
    """Name the playbook as it is now; doing it again changes nothing.

    Example: ace release create before-import --domain customer-a --note "measured at 71 %"
    """
    from ace.bootstrap import App

    made = App().releases.create(domain, name, note)
    typer.echo(json.dumps(made.to_json()) if as_json else f"{domain}: release {made.name} is position {made.position}")


@app.command("list")
def list_releases(domain: Domain = "default", as_json: Json = False) -> None:
    """The releases of a domain, oldest first.

    Example: ace release list --domain customer-a
    """
    from ace.bootstrap import App
    from ace.cli import present

    found = App().releases.list(domain)
    if as_json:
        typer.echo(json.dumps([release.to_json() for release in found]))
    else:
        present.table(f"{domain}: {len(found)} releases", [_row(release) for release in found])


def _row(release: Release) -> dict[str, object]:
    at = datetime.fromtimestamp(release.created_at, UTC).isoformat(timespec="seconds")
    return {"name": release.name, "position": release.position, "created": at, "note": release.note}
