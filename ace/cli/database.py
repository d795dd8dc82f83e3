"""`ace db`: the schema of the database that ACE_DATABASE_URL names."""

from __future__ import annotations

import typer

app = typer.Typer(help="The database schema: see it, move it.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the schema to the version this release needs; data stays."""
    from ace.repositories import schema
    from ace.repositories.database import get_database

    schema.upgrade(get_database())
    typer.echo(f"schema {schema.current(get_database())}")


@app.command()
def current() -> None:
    """Print the schema's revision."""
    from ace.repositories import schema
    from ace.repositories.database import get_database

    typer.echo(schema.current(get_database()) or "none")
