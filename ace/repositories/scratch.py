"""A database for an hour: made empty, gone afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ace.errors import InvalidInput
from ace.repositories.database import Database, parse
from ace.repositories.outages import reraise


@contextmanager
def scratch_database(folder: Path, admin_url: str | None = None) -> Iterator[Database]:
    """An empty database: a SQLite file in `folder`, or a new one on the Postgres server that `admin_url` names.

    The user of `admin_url` must be allowed to create databases. Raises InvalidInput, StoreUnavailable.
    """
    url = f"sqlite:///{folder / 'scratch.db'}" if admin_url is None else _create(admin_url)
    database = Database(url)
    try:
        yield database
    finally:
        database.close()
        if admin_url is not None:
            _say(admin_url, f'DROP DATABASE "{database.url.database}" WITH (FORCE)')


def _create(admin_url: str) -> str:
    if parse(admin_url).get_backend_name() != "postgresql":
        raise InvalidInput("--database-url", "is not of a Postgres server", "Leave it out to use a SQLite file")
    name = f"ace_drill_{os.urandom(6).hex()}"
    _say(admin_url, f'CREATE DATABASE "{name}"')
    return parse(admin_url).set(database=name).render_as_string(hide_password=False)


def _say(admin_url: str, words: str) -> None:
    import psycopg

    url = parse(admin_url)
    try:
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True, connect_timeout=10) as connection:
            connection.execute(words.encode())
    except psycopg.Error as error:
        reraise(error, url)
