"""A run's folder: everything a run did, durable line by line, readable while it runs and after a kill.

    run.json           what was asked for; written once, never changed
    <kind>.jsonl       the records of one kind, a line each: steps, pairs, lessons, validations, …
    summary.json       the figures at the end, replaced as a whole
    report.html        the same for people, replaced as a whole
    run.lock           held by the process that drives the run; the system lets go of it when that process dies

Law: when `append` returns, the record is on disk. A killed process leaves at most one torn last line, which
readers pass over and the next owner cuts off. Only one process drives a run; any number may read it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self, TypeVar

from ace.core.records import from_line, to_line
from ace.errors import Conflict, InvalidInput, NotFound
from ace.system import private
from ace.utils.files import disk_faults, flush_folder, write_atomic

Record = TypeVar("Record")
_KIND = re.compile(r"[a-z][a-z_]{0,40}")


class RunReader:
    """A run, read only: what a report needs. Safe beside the process that drives the run."""

    def __init__(self, path: Path) -> None:
        """Raises NotFound when `path` holds no run, InvalidInput when its run.json cannot be read."""
        self.path = path
        self.config: dict[str, Any] = _read_config(path)

    def read(self, kind: str, record_type: type[Record]) -> list[Record]:
        """The records of this kind, in the order they were appended.

        Raises InvalidInput naming a damaged line, StoreUnavailable when the disk refuses.
        """
        file = self._file(kind)
        with disk_faults(file):
            data = file.read_bytes() if file.exists() else b""
        finished = data.split(b"\n")[:-1]
        return [_decode(file, number, line, record_type) for number, line in enumerate(finished, start=1)]

    def summary(self) -> dict[str, Any] | None:
        """The figures written at the end, or None while there are none."""
        file = self.path / "summary.json"
        return _read_object(file) if file.exists() else None

    def _file(self, kind: str) -> Path:
        if not _KIND.fullmatch(kind):
            raise InvalidInput("kind", f"{kind!r} is not a kind of record", "Use a-z and _")
        return self.path / f"{kind}.jsonl"


class RunFolder(RunReader):
    """A run held by this process alone until it is closed. Appending is safe from several threads."""

    def __init__(self, path: Path, lock: int) -> None:
        super().__init__(path)
        self._lock, self._guard = lock, Lock()
        self._handles: dict[str, int] = {}
        self._known: dict[tuple[str, type], list[Any]] = {}

    @classmethod
    def open(cls, path: Path, config: Mapping[str, Any]) -> Self:
        """Start the run, or go on with it after a kill. Every value of `config` should be plain JSON.

        Raises Conflict when another process drives it or when it was started with another config (the message
        names the field), InvalidInput when the folder is something else, StoreUnavailable when the disk refuses.
        """
        path = Path(path)
        _make(path)
        lock = _hold(path)
        with ExitStack() as on_failure:
            on_failure.callback(os.close, lock)
            _settle_config(path, json.loads(json.dumps(config, default=str)))
            for file in path.glob("*.jsonl"):
                _mend(file)
            folder = cls(path, lock)
            on_failure.pop_all()
        return folder

    def append(self, kind: str, record: Any) -> None:
        """Add a frozen dataclass to the records of this kind; durable when it returns. Raises StoreUnavailable."""
        file, line = self._file(kind), f"{to_line(record)}\n".encode()
        with self._guard, disk_faults(file):
            handle = self._handle(kind, file)
            start = os.fstat(handle).st_size
            try:
                _write_all(handle, line)
                os.fsync(handle)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(handle, start)
                self._drop(kind)
                raise
            self._remember(kind, record)

    def read(self, kind: str, record_type: type[Record]) -> list[Record]:
        """As `RunReader.read`; a file is parsed once, later appends are remembered."""
        with self._guard:
            if (kind, record_type) not in self._known:
                self._known[kind, record_type] = list(super().read(kind, record_type))
            return list(self._known[kind, record_type])

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Replace the figures. Raises StoreUnavailable, and then the old ones stay."""
        write_atomic(self.path / "summary.json", _pretty(summary), mode=private.FILE)

    def write_report(self, html: str) -> Path:
        """Replace the report and return where it is. Raises StoreUnavailable, and then the old one stays."""
        file = self.path / "report.html"
        write_atomic(file, html, mode=private.FILE)
        return file

    def close(self) -> None:
        """Let go of the run."""
        with self._guard:
            for kind in list(self._handles):
                self._drop(kind)
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _handle(self, kind: str, file: Path) -> int:
        """The open file of a kind; whatever an earlier failure left torn is cut off first."""
        if kind not in self._handles:
            _mend(file)
            self._handles[kind] = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, private.FILE)
            flush_folder(self.path)
        return self._handles[kind]

    def _drop(self, kind: str) -> None:
        with suppress(OSError):
            os.close(self._handles.pop(kind))

    def _remember(self, kind: str, record: Any) -> None:
        for (known_kind, record_type), records in self._known.items():
            if known_kind == kind and isinstance(record, record_type):
                records.append(record)


def _make(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise InvalidInput("run folder", f"{path} is a file", "Choose a new folder")
    with disk_faults(path):
        private.make_folder(path)
        strangers = sorted(item.name for item in path.iterdir() if not item.name.startswith((".", "run.")))
    if strangers and not (path / "run.json").exists():
        raise InvalidInput("run folder", f"{path} holds {strangers[0]} and no run.json", "Choose a new or empty folder")


def _hold(path: Path) -> int:
    """The lock's file descriptor. Raises Conflict when another process holds it."""
    file = path / "run.lock"
    with disk_faults(file):
        lock = os.open(file, os.O_RDWR | os.O_CREAT, private.FILE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(lock, 64, 0).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise Conflict(
                f"Run folder {path} is being driven by another process (pid {owner}). "
                "Wait until it ends or stop it, or choose another run folder."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _settle_config(path: Path, config: dict[str, Any]) -> None:
    """Write run.json, or make sure that it says the same. Raises Conflict naming the first field that differs."""
    file = path / "run.json"
    if not file.exists():
        write_atomic(file, _pretty(config), mode=private.FILE)
        return
    for field, old, new in _differences(_read_config(path), config):
        raise Conflict(
            f"{file}: '{field}' was {_shown(old)} when this run began and is {_shown(new)} now. "
            "Go on with the old value, or choose another run folder."
        )


_ABSENT = object()


def _differences(old: Any, new: Any, field: str = "") -> Iterator[tuple[str, Any, Any]]:
    """`(field, old, new)` for every leaf that is not the same; nested fields are joined by dots."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            inner = f"{field}.{name}" if field else name
            yield from _differences(old.get(name, _ABSENT), new.get(name, _ABSENT), inner)
    elif old != new:
        yield field, old, new


def _shown(value: Any) -> str:
    return "absent" if value is _ABSENT else json.dumps(value)[:200]


def _mend(file: Path) -> None:
    """Cut off a last line that was never finished."""
    with disk_faults(file):
        data = file.read_bytes() if file.exists() else b""
        if data and not data.endswith(b"\n"):
            with file.open("r+b") as stream:
                stream.truncate(data.rfind(b"\n") + 1)
                os.fsync(stream.fileno())


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _decode(file: Path, number: int, line: bytes, record_type: type[Record]) -> Record:
    try:
        return from_line(line, record_type)
    except ValueError as error:
        problem = f"is damaged ({error})"
        raise InvalidInput(f"{file}, line {number}", problem, "Delete the run folder and run again") from error


def _read_config(path: Path) -> dict[str, Any]:
    file = path / "run.json"
    if not file.is_file():
        raise NotFound(f"No run in {path}: it has no run.json. Name a folder that a run was made in.")
    return _read_object(file)


def _read_object(file: Path) -> dict[str, Any]:
    with disk_faults(file):
        data = file.read_bytes()
    try:
        found = json.loads(data)
    except ValueError as error:
        raise InvalidInput(str(file), f"is damaged ({error})", "Delete the run folder and run again") from error
    if not isinstance(found, dict):
        raise InvalidInput(str(file), "is not a JSON object", "Delete the run folder and run again")
    return found


def _pretty(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, allow_nan=False, default=str) + "\n"
