"""SQLite connections: one to read with per thread, one to write with per process, none carried over a fork.

Every connection is in autocommit: a read sees the latest commit of any process, and BEGIN is said out loud.
WAL lets readers go on while one writes; synchronous=FULL keeps every acknowledged write through a power cut.

A connection inherited over fork() corrupts a database (https://www.sqlite.org/howtocorrupt.html, 2.6), and so does
closing it in the child. So all are closed just before a fork, and opened again on either side when next needed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ace.system import private

WAL_LIMIT_BYTES = 64 * 2**20  # a larger WAL is cut back to this after a checkpoint
CHECKPOINT_PAGES = 4000  # 16 MB: pages changed often are carried over once, not at every thousandth


class SqliteConnections:
    """The connections to one database file. `patience` is how many seconds to wait for another writer."""

    dialect, begin_write, begin_read = "sqlite", "BEGIN IMMEDIATE", "BEGIN"
    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path, *, patience: float, durable: bool) -> None:
        self.path, self._patience = path, patience
        self._synchronous = "FULL" if durable else "NORMAL"
        self._writer = _Slot(lambda: self._open(), path, patience)
        self._readers = threading.local()

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """This thread's own connection, in autocommit."""
        slot = getattr(self._readers, "slot", None)
        if slot is None:
            slot = self._readers.slot = _Slot(lambda: self._open("PRAGMA query_only = ON"), self.path, self._patience)
        return slot

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """The one connection that writes; threads wait for one another here, processes at BEGIN IMMEDIATE."""
        return self._writer

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own, for reads that must all be of one moment."""
        slot = _Slot(lambda: self._open("PRAGMA query_only = ON"), self.path, self._patience)
        try:
            with slot as connection:
                yield connection
        finally:
            slot.close()

    def close(self) -> None:
        """Close what this thread can reach; the readers of other threads close with their threads."""
        self._writer.close()
        if hasattr(self._readers, "slot"):
            self._readers.slot.close()

    def _open(self, *pragmas: str) -> sqlite3.Connection:
        private.restrict_database(self.path)
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=rw", uri=True,
            timeout=self._patience, isolation_level=None, check_same_thread=False,
        )  # fmt: skip
        settings = ("journal_mode = WAL", f"synchronous = {self._synchronous}", "foreign_keys = ON",
                    f"journal_size_limit = {WAL_LIMIT_BYTES}", f"wal_autocheckpoint = {CHECKPOINT_PAGES}")  # fmt: skip
        try:
            for line in (*(f"PRAGMA {setting}" for setting in settings), *pragmas):
                connection.execute(line)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


class _Slot:
    """A place for one connection, held by one user at a time. Opened when needed, and anew when the file is another."""

    def __init__(self, open_connection: Callable[[], sqlite3.Connection], path: Path, patience: float) -> None:
        self._open, self._path, self.patience = open_connection, path, patience
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self.lock = threading.Lock()
        with _forks.registering:
            _forks.slots.add(self)

    def __enter__(self) -> sqlite3.Connection:
        if not self.lock.acquire(timeout=self.patience):
            raise sqlite3.OperationalError("database is locked by another thread")
        try:
            return self._current()
        except BaseException:
            self.lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        if self._connection is not None and self._connection.in_transaction:
            self.close()  # not even ROLLBACK worked
        self.lock.release()

    def _current(self) -> sqlite3.Connection:
        if self._connection is not None and self._inode == _inode(self._path):
            return self._connection
        self.close()
        _forks.check()
        self._inode = _inode(self._path)
        self._connection = self._open()
        return self._connection

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def leak(self) -> None:
        """In a child: forget a connection of the parent's without closing it, which would break the parent's locks."""
        _forks.leaked.append(self._connection)
        self._connection, self.lock = None, threading.Lock()

    def __del__(self) -> None:
        with suppress(sqlite3.Error, AttributeError):
            self.close()


class _Forks:
    """What is done about forks in this process: see the law at the top of this file."""

    def __init__(self) -> None:
        self.slots: weakref.WeakSet[_Slot] = weakref.WeakSet()
        self.registering, self._forking = threading.Lock(), threading.Lock()
        self.leaked: list[sqlite3.Connection | None] = []
        self._held: list[_Slot] = []
        self._busy: list[_Slot] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self.before, after_in_parent=self.after, after_in_child=self.after_in_child)

    def before(self) -> None:
        """Hold every slot, empty; the ones made meanwhile too. Nothing is waited for while `registering` is held."""
        self._forking.acquire()
        self.registering.acquire()
        while fresh := [slot for slot in self.slots if slot not in (*self._held, *self._busy)]:
            self.registering.release()
            for slot in fresh:
                self._take(slot)
            self.registering.acquire()

    def _take(self, slot: _Slot) -> None:
        if slot.lock.acquire(timeout=slot.patience):
            slot.close()
            self._held.append(slot)
        else:
            self._busy.append(slot)

    def after(self) -> None:
        for slot in self._held:
            slot.lock.release()
        self._held, self._busy = [], []
        self.registering.release()
        self._forking.release()

    def after_in_child(self) -> None:
        for slot in self._busy:
            slot.leak()
        self.after()

    def check(self) -> None:
        if self.leaked:
            raise sqlite3.OperationalError("this process was forked in the middle of a transaction")


def open_connections() -> int:
    """How many connections to SQLite files this process holds open."""
    with _forks.registering:
        return sum(slot.is_open for slot in _forks.slots)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return -1


_forks = _Forks()
