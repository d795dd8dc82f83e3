"""`python -m ace.ops.schema_state`: what the database's schema is to this release, in one word.

none      there is no schema yet
older     this release needs `ace db upgrade`
current   it is this release's own
newer     a later release's, which says that this one can work with it: leave it as it is

Exit code 2 when it is newer and this release cannot work with it, 4 when the database is away.
"""

from __future__ import annotations

import typer

from ace.utils import commands


def schema_state() -> None:
    """Say what the database's schema is to this release: none, older, current or newer.

    Example: python -m ace.ops.schema_state
    """
    from ace.repositories import schema
    from ace.repositories.database import get_database

    database = get_database()
    found = schema.current(database)
    if found is None or found in schema.REVISIONS:
        typer.echo("none" if found is None else "current" if found == schema.HEAD else "older")
        return
    schema.require_head(database)
    typer.echo("newer")


def main() -> None:
    commands.run(schema_state)


if __name__ == "__main__":
    main()
