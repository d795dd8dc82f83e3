"""One database, by its URL: short reads, snapshots, transactions; SQLite or Postgres behind the same three words.

rows()         one read of its own, of the latest commit
snapshot()     several reads of one moment
transaction()  all or nothing; on SQLite it holds the file, on Postgres the rows it locks

Whatever a driver raises leaves here as ours, saying what to do about it and never a password:

    the server is away, a lock is not given, the disk is full or broken     StoreUnavailable
    a table or a column is missing                                          SchemaMismatch
    a value no database can hold (NUL, lone surrogate)                      InvalidInput
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ace.config import get_settings
from ace.errors import AceError, InvalidInput
from ace.repositories import sqlite
from ace.repositories.outages import VALUE_ERRORS, place, reraise
from ace.repositories.sqlite import SqliteConnections
from ace.repositories.statements import Statement

PATIENCE_S = 10.0

Row = tuple[Any, ...]
Values = Mapping[str, Any]


class Connections(Protocol):
    """What a dialect brings: its words, its errors, and connections in autocommit, each for one user at a time."""

    dialect: str
    begin_write: str
    begin_read: str
    errors: tuple[type[Exception], ...]

    def reading(self) -> AbstractContextManager[Any]: ...

    def writing(self) -> AbstractContextManager[Any]: ...

    def snapshot(self) -> AbstractContextManager[Any]: ...

    def close(self) -> None: ...


class Session:
    """One connection, held: statements in, rows out."""

    def __init__(self, connection: Any, connections: Connections, url: URL) -> None:
        self._connection, self._url = connection, url
        self._dialect = connections.dialect
        self._errors: tuple[type[Exception], ...] = (*connections.errors, *VALUE_ERRORS)

    def rows(self, statement: Statement, /, **values: Any) -> list[Row]:
        """What a SELECT finds."""
        try:
            cursor = self._connection.execute(getattr(statement, self._dialect), values)
            found: list[Row] = cursor.fetchall()
        except self._errors as error:
            reraise(error, self._url)
        return found

    def run(self, statement: Statement, /, **values: Any) -> None:
        """Carry out one change."""
        try:
            self._connection.execute(getattr(statement, self._dialect), values)
        except self._errors as error:
            reraise(error, self._url)

    def run_many(self, statement: Statement, rows: Sequence[Values]) -> None:
        """Carry out one change per row."""
        try:
            self._connection.cursor().executemany(getattr(statement, self._dialect), rows)
        except self._errors as error:
            reraise(error, self._url)

    def say(self, words: str) -> None:
        """BEGIN, COMMIT and their like."""
        try:
            self._connection.execute(words)
        except self._errors as error:
            reraise(error, self._url)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What happens inside is undone when an error passes through, even if the transaction goes on."""
        with self.bracket("SAVEPOINT part", "RELEASE SAVEPOINT part", "ROLLBACK TO SAVEPOINT part"):
            yield

    @contextmanager
    def bracket(self, begin: str, end: str = "COMMIT", undo: str = "ROLLBACK") -> Iterator[None]:
        """Say `begin`, then `end`; or `undo` when an error passes through, as far as the connection still listens."""
        self.say(begin)
        try:
            yield
            self.say(end)
        except BaseException:
            with suppress(AceError, *self._errors):
                self.say(undo)
            raise


class Database:
    """The database at `url`. `patience`: seconds to wait for a lock or a connection, then StoreUnavailable.

    Not `durable` means that a power cut may forget the last commits (never half of one): for what is soon stale.
    Safe to share between threads and over a fork.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE_S, durable: bool = True) -> None:
        self.url = parse(url)
        self.dialect = self.url.get_backend_name()
        self.at_head = False  # known to have this release's schema
        self._connections = _connections(self.url, patience, durable)

    def __repr__(self) -> str:
        return f"Database({place(self.url)!r})"

    def brisk(self, patience: float) -> Database:
        """The same database for what must not wait and may be forgotten."""
        return Database(self.url.render_as_string(hide_password=False), patience=patience, durable=False)

    def rows(self, statement: Statement, /, **values: Any) -> list[Row]:
        """What one SELECT finds in the latest commit."""
        with self._session(self._connections.reading()) as session:
            return session.rows(statement, **values)

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Reads that all see one moment, and hold nobody up."""
        with self._session(self._connections.snapshot()) as session, session.bracket(self._connections.begin_read):
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """All or nothing. Durable when the block is left without an error."""
        with self._session(self._connections.writing()) as session, session.bracket(self._connections.begin_write):
            yield session

    def close(self) -> None:
        self._connections.close()

    @contextmanager
    def _session(self, held: AbstractContextManager[Any]) -> Iterator[Session]:
        try:
            with held as connection:
                yield Session(connection, self._connections, self.url)
        except self._connections.errors as error:
            reraise(error, self.url)


def parse(url: str) -> URL:
    """The URL with the driver we use, and a SQLite path made absolute. Raises InvalidInput without repeating it."""
    try:
        parsed = make_url(url)
    except (ArgumentError, SQLAlchemyError, ValueError):
        remedy = "Write sqlite:///path/to/ace.db or postgresql://user:password@host/database, special signs as %XX"
        raise InvalidInput("ACE_DATABASE_URL", "cannot be read as a database URL", remedy) from None
    backend = parsed.get_backend_name()
    if backend in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise InvalidInput("ACE_DATABASE_URL", f"'{backend}' is not supported", "Use sqlite or postgresql")
    if parsed.database in (None, "", ":memory:"):
        raise InvalidInput("ACE_DATABASE_URL", "names no file", "Write sqlite:///path/to/ace.db")
    return parsed.set(database=str(Path(str(parsed.database)).absolute()))


@lru_cache(maxsize=8)
def shared(url: str) -> Database:
    """The one Database of this process for a URL."""
    return Database(url)


def get_database() -> Database:
    """The database the settings name."""
    return shared(get_settings().database)


def open_connections() -> int:
    """How many database connections this process holds open."""
    postgres = sys.modules.get("ace.repositories.postgres")  # not imported: no connection either
    return sqlite.open_connections() + (postgres.open_connections() if postgres else 0)


def rest() -> None:
    """Close this process's unused connections to Postgres, so that an administrator can drop or rename the database."""
    if postgres := sys.modules.get("ace.repositories.postgres"):
        postgres.rest()


def _connections(url: URL, patience: float, durable: bool) -> Connections:
    if url.get_backend_name() == "sqlite":
        return SqliteConnections(Path(str(url.database)), patience=patience, durable=durable)
    from ace.repositories.postgres import PostgresConnections  # psycopg is loaded only by those who use it

    return PostgresConnections(url, patience=patience, durable=durable)
