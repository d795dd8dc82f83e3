"""Which schema the database has, and how it gets to ours. Only a migration changes a database that has data in it.

what is found                               what happens
a SQLite file that is not there or empty    created at HEAD by whoever needs it first
HEAD                                        used
an earlier revision, or none at all         SchemaMismatch: run `ace db upgrade`
a revision this release does not know,
  whose floor is HEAD or below              used: the next release has been here, and left what this one needs
  whose floor is above                      SchemaMismatch: upgrade ACE
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from ace.errors import SchemaMismatch, StoreUnavailable
from ace.repositories import tables
from ace.repositories.database import Database
from ace.repositories.outages import UPGRADE, place, reraise
from ace.repositories.statements import statement
from ace.system import private

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
HEAD = REVISIONS[-1]
FLOOR = "0004"  # the oldest code that can work with this schema; raise it when a revision takes something away

SCRIPTS = Path(__file__).parent / "migrations"
LOCK_TIMEOUT_S = 2  # a migration that waits longer for a table would hold up everyone queued behind it
LOCK_PAUSES_S = (0.2, 0.5, 1, 2, 4)  # between tries, so that those who queued behind it get their turn
ADVISORY_LOCK = 0x61_63_65  # "ace": one migration at a time

_VERSION = statement("SELECT version_num FROM alembic_version")
_FLOOR = statement("SELECT revision FROM schema_floor")
_TABLES = statement("SELECT count(*) FROM sqlite_master")
_CREATE_VERSION = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


def current(database: Database) -> str | None:
    """The revision the database is at; None when it has none. Raises StoreUnavailable."""
    if not _exists(database):
        return None
    try:
        rows = database.rows(_VERSION)
    except SchemaMismatch:
        return None
    return rows[0][0] if rows else None


def require_head(database: Database) -> Database:
    """The same database, once it is known to be at HEAD. Raises SchemaMismatch, StoreUnavailable."""
    if database.at_head:
        return database
    found = current(database)
    if found is None and database.dialect == "sqlite":
        _create_if_empty(database)
        found = current(database)
    if found != HEAD and not _still_serves(database, found):
        where = f"The database {place(database.url)} is at schema {found or 'none'}, this release needs {HEAD}."
        known = found is None or found in REVISIONS
        raise SchemaMismatch(f"{where} {UPGRADE if known else 'Upgrade ACE: a newer release has been here'}.")
    database.at_head = True
    return database


def _still_serves(database: Database, found: str | None) -> bool:
    """A newer schema that says it still works with code as old as ours."""
    if found is None or found in REVISIONS:
        return False
    return any(floor <= HEAD for (floor,) in database.rows(_FLOOR))


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision; data stays. Raises StoreUnavailable; then nothing was changed."""
    from alembic import command

    command.upgrade(_config(database), revision)


def downgrade(database: Database, revision: str) -> None:
    """Bring the database back to an earlier revision (`base`: nothing is left of it)."""
    from alembic import command

    command.downgrade(_config(database), revision)


def migrate(database: Database, work: Callable[[Connection], None]) -> None:
    """Do `work` in one transaction of its own, alone; try again while another transaction holds what it needs."""
    if not _exists(database):
        _touch(Path(str(database.url.database)))
    if database.dialect == "sqlite":
        private.restrict_database(Path(str(database.url.database)))
    engine = _migration_engine(database)
    try:
        for pause in LOCK_PAUSES_S:
            try:
                return _alone(engine, work)
            except DBAPIError as error:
                if not _is_locked(error):
                    raise
            time.sleep(pause)
        return _alone(engine, work)
    except DBAPIError as error:
        reraise(error.orig if isinstance(error.orig, Exception) else error, database.url)
    finally:
        engine.dispose()


def _alone(engine: Engine, work: Callable[[Connection], None]) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
        work(connection)


def _config(database: Database) -> Any:
    from alembic.config import Config

    config = Config(attributes={"database": database})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    return config


def _migration_engine(database: Database) -> Engine:
    if database.dialect == "postgresql":
        options = f"-c lock_timeout={LOCK_TIMEOUT_S}s"
        return create_engine(database.url, poolclass=NullPool, connect_args={"options": options})
    engine = create_engine(database.url, poolclass=NullPool, connect_args={"timeout": LOCK_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _begin_is_said_out_loud(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _hold_the_file(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _is_locked(error: DBAPIError) -> bool:
    return re.search(r"lock timeout|locked|deadlock", str(error.orig)) is not None


def _exists(database: Database) -> bool:
    return database.dialect != "sqlite" or Path(str(database.url.database)).exists()


def _touch(path: Path) -> None:
    try:
        private.make_folder(path.parent)
        path.touch(private.FILE)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be created: {error.strerror}. Check ACE_DATA_DIR.") from error


def _create_if_empty(database: Database) -> None:
    """The tables, in a file that has none; whoever comes second finds them there."""
    if not _exists(database):
        _touch(Path(str(database.url.database)))
    with database.transaction() as session:
        if session.rows(_TABLES) == [(0,)]:
            for words in _ddl():
                session.say(words)


def _ddl() -> list[str]:
    dialect = sqlite.dialect()
    created = [str(CreateTable(table).compile(dialect=dialect)) for table in tables.metadata.sorted_tables]
    indexes = sorted((index for table in tables.metadata.sorted_tables for index in table.indexes), key=str)
    created += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    marks = [f"INSERT INTO schema_floor VALUES ('{FLOOR}')", f"INSERT INTO alembic_version VALUES ('{HEAD}')"]
    return [*created, _CREATE_VERSION, *marks]
