"""Postgres connections: psycopg 3 in autocommit, pooled, every wait with an end.

The server stops a statement after `statement_timeout` and a wait for a lock after `lock_timeout`; should the server
itself fall silent, the client gives up by its own clock a little later and throws the connection away.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

STATEMENT_TIMEOUT_S = 60.0
POOL_SIZE, POOL_OVERFLOW = (
    5,
    35,
)  # kept open / opened beside them when many threads ask at once (FastAPI has 40)
RECYCLE_S = 1800


class PostgresConnections:
    """A pool of connections. `patience` is how many seconds to wait for a lock, a free connection or the server."""

    dialect, begin_write = "postgresql", "BEGIN"
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    errors: tuple[type[Exception], ...] = (psycopg.Error, PoolTimeout)

    def __init__(self, url: URL, *, patience: float, durable: bool) -> None:
        limit = STATEMENT_TIMEOUT_S if durable else 2 * patience  # longer than a wait for a lock
        self.engine = _engine(url, patience, limit, durable)
        _pools.add(self.engine)

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A connection in autocommit; lost when the server broke it off."""
        with closing(self.engine.raw_connection()) as connection:
            yield connection

    def writing(self) -> AbstractContextManager[Any]:
        return self.reading()

    def snapshot(self) -> AbstractContextManager[Any]:
        return self.reading()

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: URL, patience: float, statement_timeout: float, durable: bool) -> Engine:
    options = {"statement_timeout": _ms(statement_timeout), "lock_timeout": _ms(patience),
               "synchronous_commit": "on" if durable else "off"}  # fmt: skip
    given = str(url.query.get("options", ""))
    arguments = {
        "application_name": "ace",
        "connect_timeout": max(2, round(patience)),  # libpq's least is 2
    }
    fixed = {
        "autocommit": True,
        "options": " ".join([*(f"-c {name}={value}" for name, value in options.items()), given]).strip(),
    }

    def connect() -> psycopg.Connection[Any]:
        _, named = engine.dialect.create_connect_args(url)
        connection = _Deadlined.connect(**{**arguments, **named, **fixed})
        connection.deadline = statement_timeout + patience
        return connection

    engine = create_engine(
        url, creator=connect, isolation_level="AUTOCOMMIT", use_native_hstore=False, pool_pre_ping=True,
        pool_size=POOL_SIZE, max_overflow=POOL_OVERFLOW, pool_timeout=patience, pool_recycle=RECYCLE_S,
        hide_parameters=True,
    )  # fmt: skip
    return engine


class _Deadlined(psycopg.Connection[Any]):
    """A connection that waits at most `deadline` seconds for the answer to one statement."""

    deadline = STATEMENT_TIMEOUT_S

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        return super().wait(gen, interval, self.deadline if timeout is None else timeout)


def open_connections() -> int:
    """How many connections to Postgres this process holds open, used or kept for later."""
    pools = [engine.pool for engine in list(_pools)]
    return sum(pool.checkedin() + pool.checkedout() for pool in pools if isinstance(pool, QueuePool))


def rest() -> None:
    """Close the connections nobody uses; whoever asks next opens another."""
    for engine in list(_pools):
        engine.dispose()


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


_pools: weakref.WeakSet[Engine] = weakref.WeakSet()


def _forget_inherited() -> None:
    """In a forked child: drop the parent's connections without closing them, as their sockets are shared."""
    for engine in list(_pools):
        engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
