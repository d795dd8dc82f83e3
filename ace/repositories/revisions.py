"""The migrations as an operator sees them: a list to look at, and words to move along it.

head, base          the newest schema; none at all
0001                a revision by its name
-1, +1              that many steps from where the database is
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ace.errors import InvalidInput
from ace.repositories import schema
from ace.repositories.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """One migration, and whether the database is there."""

    revision: str
    follows: str | None
    says: str
    current: bool


def history(database: Database) -> list[Revision]:
    """Every revision this release knows, oldest first. Raises StoreUnavailable."""
    from alembic.script import ScriptDirectory

    found, directory = schema.current(database), ScriptDirectory(str(schema.SCRIPTS))
    scripts = [directory.get_revision(name) for name in schema.REVISIONS]
    return [
        Revision(
            revision=script.revision,
            follows=str(script.down_revision) if script.down_revision else None,
            says=script.doc,
            current=script.revision == found,
        )
        for script in scripts
    ]


def upgrade(database: Database, revision: str = "head") -> str | None:
    """Bring the schema up to `revision`; where it is then. Raises InvalidInput, StoreUnavailable."""
    return _moved(database, schema.upgrade, revision, r"head|\+\d+")


def downgrade(database: Database, revision: str) -> str | None:
    """Bring the schema down to `revision`; where it is then. Raises InvalidInput, StoreUnavailable."""
    return _moved(database, schema.downgrade, revision, r"base|-\d+")


def _moved(database: Database, move: Callable[[Database, str], None], revision: str, words: str) -> str | None:
    from alembic.util import CommandError

    if revision not in schema.REVISIONS and not re.fullmatch(words, revision):
        known = ", ".join(schema.REVISIONS)
        raise InvalidInput("REVISION", f"'{revision}' is no revision to go to", f"Known are {known}: ace db history")
    try:
        move(database, revision)
    except CommandError as error:
        at = schema.current(database) or "none"
        raise InvalidInput("REVISION", f"'{revision}' does not lead anywhere from {at} ({error})",
                           "See `ace db history`") from error  # fmt: skip
    database.at_head = False
    return schema.current(database)
