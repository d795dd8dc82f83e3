"""Large binary files vouched for by a manifest: bytes that do not carry the sha256 written there are never parsed.

    <name>.<suffix> …    the files
    <name>.json          {"body": {"facts": …, "files": {suffix: sha256}}, "sha256": of the body}

A native parser trusts its input: fed a file with a flipped bit it may answer wrongly, or never. So each file is
written beside its name, flushed to disk, hashed as it lies there and renamed, and the manifest comes last. Killed
half-way, the manifest does not fit and the files count as absent: what they hold can always be made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ace.core.journal import canonical
from ace.system import private
from ace.utils.files import disk_faults, flush_folder, write_atomic

Writer = Callable[[Path], None]
"""Writes a file of its own at the path it is given."""


class Unsound(Exception):
    """The files are absent, damaged or not of one piece; the text says which."""


def keep(
    folder: Path, name: str, files: Mapping[str, Writer], facts: Mapping[str, Any], *, shared: bool = False
) -> None:
    """Write `<name>.<suffix>` for each of `files`, and the manifest; one writer at a time.

    They are for this user alone; `shared` between users, as model files are, they have the modes of the umask.
    Raises StoreUnavailable when the disk refuses; what was there before may then count as absent.
    """
    with disk_faults(folder):
        folder.mkdir(parents=True, exist_ok=True) if shared else private.make_folder(folder)
        mode = private.BY_UMASK if shared else private.FILE
        with _sole_writer(folder / f".{name}.lock", mode):
            sums = {suffix: _place(folder / f"{name}.{suffix}", write, mode) for suffix, write in files.items()}
            body = {"facts": dict(facts), "files": sums}
            manifest = {"body": body, "sha256": hashlib.sha256(canonical(body)).hexdigest()}
            write_atomic(folder / f"{name}.json", json.dumps(manifest), mode=mode)


@contextmanager
def vouched(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The facts kept with the files, every byte of which has been checked (0.05 s per 100 MB). Raises Unsound.

    No writer replaces the files while the context is open: read them inside it.
    """
    with _no_writer(folder / f".{name}.lock"):
        body = _manifest(folder / f"{name}.json")
        for suffix, expected in body["files"].items():
            _check(folder / f"{name}.{suffix}", expected)
        yield body["facts"]


def discard(folder: Path, name: str, suffixes: tuple[str, ...]) -> None:
    """Forget the files: the manifest first, so that a kill half-way leaves nothing that counts."""
    with disk_faults(folder):
        for suffix in ("json", *suffixes):
            (folder / f"{name}.{suffix}").unlink(missing_ok=True)


def file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check(file: Path, expected: str) -> None:
    try:
        found = file_sha256(file)
    except OSError as error:
        raise Unsound(f"{file.name} cannot be read: {error.strerror or error}") from error
    if found != expected:
        raise Unsound(f"{file.name} is damaged (its sha256 is not the one in the manifest)")


def _manifest(file: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(file.read_bytes())
        body: dict[str, Any] = manifest["body"]
        sound = manifest["sha256"] == hashlib.sha256(canonical(body)).hexdigest()
    except FileNotFoundError as error:
        raise Unsound(f"{file.name} is missing") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Unsound(f"{file.name} cannot be read as a manifest") from error
    if not sound:
        raise Unsound(f"{file.name} is damaged (it does not carry its own sha256)")
    return body


def _place(target: Path, write: Writer, mode: int) -> str:
    """Write, flush, hash, rename; the sha256 of what lies on the disk."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        temporary.touch(mode)  # before anything is in it
        write(temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        digest = file_sha256(temporary)
        temporary.replace(target)
        flush_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return digest


@contextmanager
def _sole_writer(lock: Path, mode: int) -> Iterator[None]:
    """Held by one writer of any process; the system lets go of it when its holder dies."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, mode)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _no_writer(lock: Path) -> Iterator[None]:
    """Shared by readers. Where there is no lock to open, no writer of ours has been."""
    try:
        handle = os.open(lock, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)
