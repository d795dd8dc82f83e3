"""`ace db`: the schema of the database that ACE_DATABASE_URL names, and its backups."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ace.cli.backups import register
from ace.cli.grammar import Json, Yes
from ace.errors import InvalidInput

app = typer.Typer(
    help="The database: see and move its schema, back it up, restore it.\n\nExample: ace db current",
    no_args_is_help=True,
)
register(app)


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="head, a revision, or +1")] = "head", as_json: Json = False
) -> None:
    """Bring the schema to the version this release needs; data stays.

    Example: ace db upgrade
    """
    from ace.repositories import revisions
    from ace.repositories.database import get_database

    _say_revision(revisions.upgrade(get_database(), revision), as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def downgrade(
    revision: Annotated[str, typer.Argument(help="-1, a revision, or base")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Bring the schema back to an earlier version; what only the later one can hold is lost.

    Example: ace db downgrade -1
    """
    from ace.repositories import revisions
    from ace.repositories.database import get_database

    if revision == "base" and not yes:
        raise InvalidInput("base", "would delete every table with all that is in it",
                           "Take a backup (`ace db backup`), then say `ace db downgrade base --yes`")  # fmt: skip
    _say_revision(revisions.downgrade(get_database(), revision), as_json)


@app.command()
def current(as_json: Json = False) -> None:
    """Print the schema's revision.

    Example: ace db current --json
    """
    from ace.repositories import schema
    from ace.repositories.database import get_database

    found = schema.current(get_database())
    if as_json:
        typer.echo(json.dumps({"revision": found, "head": schema.HEAD, "at_head": found == schema.HEAD}))
    else:
        typer.echo(found or "none")


@app.command("alembic-ini")
def alembic_ini(as_json: Json = False) -> None:
    """Print where the `alembic` command's configuration is: `alembic -c "$(ace db alembic-ini)" current`.

    Example: ace db alembic-ini
    """
    from ace.repositories import schema

    file = str(schema.SCRIPTS / "alembic.ini")
    typer.echo(json.dumps({"file": file}) if as_json else file)


@app.command()
def history(as_json: Json = False) -> None:
    """List the schema's revisions, oldest first, and where the database is.

    Example: ace db history
    """
    from dataclasses import asdict

    from ace.repositories import revisions
    from ace.repositories.database import get_database

    rows: list[dict[str, Any]] = [asdict(revision) for revision in revisions.history(get_database())]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        here = "  <- here" if row["current"] else ""
        typer.echo(f"{row['follows'] or 'none':>6} -> {row['revision']}  {row['says']}{here}")


def _say_revision(found: str | None, as_json: bool) -> None:
    typer.echo(json.dumps({"revision": found}) if as_json else f"schema {found or 'none'}")
