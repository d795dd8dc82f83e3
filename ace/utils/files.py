"""Files that are whole or absent: written beside, flushed to disk, then given their name."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ace.errors import StoreUnavailable
from ace.system import private


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """A disk that refuses becomes one sentence for the operator: raises StoreUnavailable for OSError."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"{path} cannot be used: {error.strerror or error}. Free some space, or choose a folder that can be read "
            "and written; what was there before is unharmed."
        ) from error


def write_atomic(path: Path, text: str | bytes, *, mode: int = private.BY_UMASK) -> None:
    """Put `text` (UTF-8) at `path`: a reader, and a restart after a power cut, sees the old text or the new one.

    What is there keeps its permissions; what is new has those of `mode` that the umask leaves.
    Raises StoreUnavailable, and then `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    with disk_faults(path):
        try:
            with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
                if path.exists():
                    os.fchmod(file.fileno(), path.stat().st_mode & 0o7777)
                file.write(text if isinstance(text, bytes) else text.encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink()
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
