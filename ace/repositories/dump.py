"""Every row of every table, out of one snapshot and into one transaction: `ace.core.backup_ports.Tables`.

Pages are found by key, (key) > (last key), so that memory and the work of one statement are bounded whatever the
table's size. Values leave as JSON has them, the same for both databases:

    binary      base64
    times       ISO 8601 in UTC with microseconds
    JSON        its text, as it is stored
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, LargeBinary, Table

from ace.core.journal import timestamp
from ace.errors import InvalidInput, SchemaMismatch
from ace.models.backup import Header, Page, Values
from ace.repositories import schema, tables
from ace.repositories.database import Database, Session
from ace.repositories.outages import UPGRADE, place
from ace.repositories.statements import Statement, statement

PAGE_ROWS = 256
FIRST = ("domains", "playbook_journal", "playbook_bullets")  # what others refer to, or are replayed from
SECRET = frozenset({"api_keys", "server_secrets"})
DATA = ("domains", "api_keys")  # a database with rows in one of these is in use

KNOWN: dict[str, Table] = {
    table.name: table
    for table in sorted(
        tables.metadata.tables.values(),
        key=lambda table: (table.name not in FIRST, (*FIRST, table.name).index(table.name), table.name),
    )
}
"""The tables in the order they are written."""

_COLUMNS = Statement(
    sqlite="SELECT own.name, its.name FROM sqlite_master AS own JOIN pragma_table_info(own.name) AS its"
    " WHERE own.type = 'table' AND own.name NOT LIKE 'sqlite_%'",
    postgresql="SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()",
)
_VERSION = statement("SELECT version_num FROM alembic_version")


class TableRows:
    """Some tables with some of their columns, read by one session."""

    def __init__(self, session: Session, revision: str, columns: dict[str, tuple[str, ...]]) -> None:
        self._session, self.revision, self.tables = session, revision, columns

    @property
    def rows(self) -> int:
        counts = (statement(f"SELECT count(*) FROM {name}") for name in self.tables)
        return sum(self._session.rows(count)[0][0] for count in counts)

    def pages(self) -> Iterator[Page]:
        """Every row, table after table."""
        for name, columns in self.tables.items():
            yield from self._pages_of(KNOWN[name], columns)

    def _pages_of(self, table: Table, columns: tuple[str, ...]) -> Iterator[Page]:
        key = [column.name for column in table.primary_key]
        picks = [columns.index(name) for name in key]
        encoders = [_encoder(table.c[name]) for name in columns]
        found = self._session.rows(_select(table, columns, key, start=True), size=PAGE_ROWS)
        while found:
            yield Page(table=table.name, columns=columns, rows=[_each(encoders, row) for row in found])
            after = {name: found[-1][pick] for name, pick in zip(key, picks, strict=True)}
            found = self._session.rows(_select(table, columns, key, start=False), size=PAGE_ROWS, **after)


class TableRefilling(TableRows):
    """The same, in a transaction that may write."""

    def write(self, page: Page) -> None:
        """Insert these rows."""
        decoders = [_decoder(KNOWN[page.table].c[name]) for name in page.columns]
        rows = [dict(zip(page.columns, _each(decoders, row), strict=True)) for row in page.rows]
        self._session.run_many(_insert(page.table, page.columns), rows)


class Dump:
    """The tables of one database. Without a database that exists, something can only be put in."""

    def __init__(self, database: Database) -> None:
        self._database, self.place = database, place(database.url)

    @contextmanager
    def reading(self, *, secrets: bool = True) -> Iterator[TableRows]:
        """Every row as of one moment. Raises SchemaMismatch for a schema this release does not know."""
        self._require_known(schema.current(self._database))
        with self._database.snapshot() as session:
            revision = self._require_known(session.rows(_VERSION)[0][0])
            found = _columns(session)
            kept = {name: found[name] for name in KNOWN if name in found and (secrets or name not in SECRET)}
            yield TableRows(session, revision, kept)

    def prepare(self, header: Header, *, replace: bool) -> None:
        """Bring an empty database to the backup's schema.

        Raises InvalidInput for one that holds data, unless `replace`; SchemaMismatch for one at another schema.
        """
        if self._is_blank():
            schema.upgrade(self._database, header.revision)
            return
        found = schema.current(self._database)
        if found != header.revision:
            raise SchemaMismatch(
                f"The backup is of schema {header.revision}, the database {self.place} is at {found or 'none'}. "
                "Restore it with --into a new, empty database: that is then upgraded."
            )
        if not replace and (held := self._held()):
            raise InvalidInput(self.place, f"holds data ({held})",
                               "Add --replace to put the backup in its place, or name another with --into")  # fmt: skip

    @contextmanager
    def refilling(self, header: Header) -> Iterator[TableRefilling]:
        """One transaction, in which the backup's tables are empty; it commits at the end, or leaves no trace."""
        names = list(header.tables)
        with self._database.transaction() as session:
            if self._database.dialect == "postgresql":
                session.say(f"LOCK TABLE {', '.join(names)} IN EXCLUSIVE MODE")
            for name in sorted(names, key=list(KNOWN).index, reverse=True):
                session.say(f"DELETE FROM {name}")
            yield TableRefilling(session, header.revision, header.tables)

    def finish(self) -> str:
        """Bring the schema to this release's; its revision."""
        if schema.current(self._database) != schema.HEAD:
            schema.upgrade(self._database)
        return schema.HEAD

    def _require_known(self, revision: str | None) -> str:
        if revision in schema.REVISIONS:
            return revision
        remedy = f"{UPGRADE}, or check ACE_DATABASE_URL" if revision is None else "Back it up with the release it is of"
        raise SchemaMismatch(f"The database {self.place} is at schema {revision or 'none'}. {remedy}.")

    def _is_blank(self) -> bool:
        if self._database.dialect == "sqlite" and not Path(str(self._database.url.database)).exists():
            return True
        with self._database.snapshot() as session:
            return not _columns(session).keys() - {"alembic_version"}

    def _held(self) -> str:
        """What is in the tables that show a database is in use."""
        with self._database.snapshot() as session:
            there = [name for name in DATA if name in _columns(session)]
            counts = {name: session.rows(statement(f"SELECT count(*) FROM {name}"))[0][0] for name in there}
        return ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in counts.items() if count)


def _columns(session: Session) -> dict[str, tuple[str, ...]]:
    """The tables that are there; those we know with their columns in our order."""
    found: dict[str, set[str]] = {}
    for table, column in session.rows(_COLUMNS):
        found.setdefault(table, set()).add(column)
    return {
        name: tuple(column.name for column in KNOWN[name].columns if column.name in there) if name in KNOWN else ()
        for name, there in found.items()
    }


def _select(table: Table, columns: Sequence[str], key: Sequence[str], *, start: bool) -> Statement:
    shown = [f"CAST({name} AS TEXT)" if isinstance(table.c[name].type, JSON) else name for name in columns]
    after = "" if start else f" WHERE ({', '.join(key)}) > ({', '.join(f':{name}' for name in key)})"
    return statement(f"SELECT {', '.join(shown)} FROM {table.name}{after} ORDER BY {', '.join(key)} LIMIT :size")


def _insert(table: str, columns: Sequence[str]) -> Statement:
    values = ", ".join(f":{name}" for name in columns)
    return statement(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})")


def _each(coders: Sequence[Callable[[Any], Any] | None], row: Sequence[Any]) -> Values:
    return [value if code is None or value is None else code(value) for code, value in zip(coders, row, strict=True)]


def _encoder(column: Column[Any]) -> Callable[[Any], Any] | None:
    if isinstance(column.type, LargeBinary):
        return lambda value: b64encode(value).decode()
    return _time_text if column.type is tables.Timestamp else None


def _decoder(column: Column[Any]) -> Callable[[Any], Any] | None:
    return b64decode if isinstance(column.type, LargeBinary) else None


def _time_text(value: datetime | str) -> str:
    """SQLite keeps the text, psycopg gives the time."""
    return value if isinstance(value, str) else timestamp(value)
