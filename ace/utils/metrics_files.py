"""The numbers of many processes in one directory, each written by one process and read by all.

    <id>.counts   a process's numbers, a mapped file: `add` is a write to memory, and what was added survives kill -9
    <id>.alive    locked by the process for as long as it lives; the kernel lets go of it however the process ends
    gone.json     the numbers of processes that are gone, and whose they are

Whoever starts or reads sweeps up: what the dead have counted is added to gone.json, which is replaced as a whole, then
their files are removed. Killed in between, nothing is lost or counted twice: files of those whom gone.json names are
passed over. Readers take no lock: they read the counts first and gone.json after, so one who is swept up meanwhile is
found in gone.json, and his counts are left aside.

An id holds random letters beside the process's number: containers that share the directory share numbers, too. The
lock is a POSIX one, because those are not handed on over a fork.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from ace.system import private
from ace.utils.files import disk_faults, write_atomic

ROOM = 1 << 18  # bytes reserved per process, so that a full disk is met when the file is made and never while counting
REMEMBERED = 1000  # the dead whom gone.json still names after their files are gone, for slow readers
log = logging.getLogger(__name__)
_mine: set[str] = set()  # this process's ids: to open and close a file of one's own would let go of its lock

Numbers = Mapping[str, float]
Rule = Callable[[str], Callable[[float, float], float] | None]
"""How two processes' numbers of one key become one; None: the number dies with its process."""


class Sheet:
    """This process's own numbers in `directory`. Safe from several threads and over a fork. Raises StoreUnavailable."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._open()
        os.register_at_fork(after_in_child=self._forked)

    def add(self, key: str, amount: float, *more: tuple[str, float]) -> None:
        """Add to one number, and to others in the same moment."""
        with self._lock:
            if self._pid == 0:
                self._open()
            write = self._file.write_value
            for name, value in ((key, amount), *more):
                write(name, self._file.read_value(name)[0] + value, 0.0)  # type: ignore[no-untyped-call]

    def put(self, key: str, value: float) -> None:
        """Set one number."""
        with self._lock:
            if self._pid == 0:
                self._open()
            self._file.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Count no more: from now on these are the numbers of one who is gone."""
        with self._lock:
            _mine.discard(self.id)
            os.close(self._alive)

    def _open(self) -> None:
        with disk_faults(self.directory):
            private.make_folder(self.directory)
            self._pid = os.getpid()
            self.id = f"{self._pid}-{secrets.token_hex(4)}"
            _mine.add(self.id)
            self._alive = _locked(self.directory, self.id)
            file = _reserved(self.directory / f"{self.id}.counts")
            self._file = MmapedDict(str(file))  # type: ignore[no-untyped-call]

    def _forked(self) -> None:
        """In a child: the parent's file is the parent's; one of our own is made when something is counted."""
        self._lock, self._pid = threading.Lock(), 0
        _mine.clear()


@dataclass(frozen=True, slots=True)
class _Gone:
    """gone.json: numbers of the dead, and the ids of those counted in them, the latest last."""

    ids: list[str] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)


def totals(directory: Path, rule: Rule) -> dict[str, float]:
    """Every number, over all processes living and dead."""
    ids = _ids(directory)
    living = {own for own in ids if _is_alive(directory, own)}
    sheets = {own: found for own in ids if (found := _read(directory, own)) is not None}
    gone = _read_gone(directory)
    merged = dict(gone.numbers)
    for own in sheets.keys() - set(gone.ids):
        _merge(merged, sheets[own], rule, living=own in living)
    return merged


def sweep(directory: Path, rule: Rule) -> int:
    """Add what the dead have counted to gone.json and remove their files; how many they were.

    When another process is sweeping nothing is done. Raises StoreUnavailable, and then nothing is lost.
    """
    with disk_faults(directory), open(directory / "sweep.lock", "w", opener=private.opener) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        dead = [own for own in _ids(directory) if not _is_alive(directory, own)]
        if dead:
            _bury(directory, dead, rule)
        return len(dead)


def _bury(directory: Path, dead: list[str], rule: Rule) -> None:
    gone = _read_gone(directory)
    numbers = dict(gone.numbers)
    fresh = [own for own in dead if own not in gone.ids]
    for own in fresh:
        _merge(numbers, _read(directory, own) or {}, rule, living=False)
    ids = [*gone.ids, *fresh]
    kept = [own for own in ids[:-REMEMBERED] if own in dead] + ids[-REMEMBERED:]
    write_atomic(directory / "gone.json", json.dumps({"ids": kept, "numbers": numbers}), mode=private.FILE)
    for own in dead:
        (directory / f"{own}.counts").unlink(missing_ok=True)
        (directory / f"{own}.alive").unlink(missing_ok=True)


def _merge(into: dict[str, float], numbers: Numbers, rule: Rule, *, living: bool) -> None:
    for key, value in numbers.items():
        join = rule(key)
        if join is not None:
            into[key] = join(into[key], value) if key in into else value
        elif living:
            into[key] = into.get(key, 0.0) + value


def _locked(directory: Path, own: str) -> int:
    """A handle that holds the id's lock; the file gets its name when it is locked, so nobody takes it for dead."""
    unnamed = directory / f".{own}.alive"
    handle = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, private.FILE)
    fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(directory / f"{own}.alive")
    return handle


def _reserved(file: Path) -> Path:
    with open(file, "xb", opener=private.opener) as made:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(made.fileno(), 0, ROOM)
        else:
            made.truncate(ROOM)
    return file


def _ids(directory: Path) -> list[str]:
    found: Iterable[Path] = (*directory.glob("*.counts"), *directory.glob("*.alive"))
    return sorted({file.stem for file in found if not file.name.startswith(".")})


def _is_alive(directory: Path, own: str) -> bool:
    if own in _mine:
        return True
    try:
        handle = os.open(directory / f"{own}.alive", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's
        return True
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    finally:
        os.close(handle)
    return False


def _read(directory: Path, own: str) -> dict[str, float] | None:
    """What a process has counted; None when its file has just been removed. A damaged file counts nothing."""
    file = directory / f"{own}.counts"
    try:
        read = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
        return {key: value for key, value, _, _ in read}
    except FileNotFoundError:
        return None
    except (struct.error, RuntimeError, UnicodeDecodeError) as error:
        log.warning("metrics_file_damaged", extra={"file": file.name, "reason": str(error)})
        return {}


def _read_gone(directory: Path) -> _Gone:
    file = directory / "gone.json"
    try:
        data = json.loads(file.read_text())
        return _Gone(list(data["ids"]), {str(key): float(value) for key, value in data["numbers"].items()})
    except FileNotFoundError:
        return _Gone()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("metrics_file_damaged", extra={"file": file.name, "reason": str(error)})
        with suppress(OSError):
            file.rename(file.with_suffix(".damaged"))
        return _Gone()
