"""Which schema the database has, and how it gets to ours. Only `upgrade` changes a database that has data in it.

a SQLite file that is not there or empty    created at HEAD by whoever needs it first
HEAD                                        used
an earlier revision, or none at all         SchemaMismatch: run `ace db upgrade`
a revision this release does not know       SchemaMismatch: upgrade ACE
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from ace.errors import SchemaMismatch, StoreUnavailable
from ace.repositories import tables
from ace.repositories.database import Database
from ace.repositories.outages import UPGRADE, place
from ace.repositories.statements import statement

REVISIONS = ("0001",)
HEAD = REVISIONS[-1]

_VERSION = statement("SELECT version_num FROM alembic_version")
_CREATE_VERSION = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
_TABLES = statement("SELECT count(*) FROM sqlite_master")


def current(database: Database) -> str | None:
    """The revision the database is at; None when it has none."""
    try:
        rows = database.rows(_VERSION)
    except SchemaMismatch:
        return None
    return rows[0][0] if rows else None


def require_head(database: Database) -> Database:
    """The same database, once it is known to be at HEAD. Raises SchemaMismatch, StoreUnavailable."""
    if database.at_head:
        return database
    create_if_new(database)
    found = current(database)
    if found != HEAD:
        where = f"The database {place(database.url)} is at schema {found or 'none'}, this release needs {HEAD}."
        known = found is None or found in REVISIONS
        raise SchemaMismatch(f"{where} {UPGRADE if known else 'Upgrade ACE: a newer release has been here'}.")
    database.at_head = True
    return database


def create_if_new(database: Database) -> None:
    """Give an embedded database that is not there yet its tables; an existing one is left alone."""
    path = Path(str(database.url.database))
    if database.dialect != "sqlite" or (path.exists() and path.stat().st_size > 0):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be created: {error.strerror}. Check ACE_DATA_DIR.") from error
    with database.transaction() as session:
        if session.rows(_TABLES) == [(0,)]:
            for words in _ddl():
                session.say(words)


def _ddl() -> list[str]:
    dialect = sqlite.dialect()
    created = [str(CreateTable(table).compile(dialect=dialect)) for table in tables.metadata.sorted_tables]
    indexes = [
        str(CreateIndex(index).compile(dialect=dialect))
        for table in tables.metadata.sorted_tables
        for index in sorted(table.indexes, key=lambda index: str(index.name))
    ]
    return [*created, *indexes, _CREATE_VERSION, f"INSERT INTO alembic_version VALUES ('{HEAD}')"]
