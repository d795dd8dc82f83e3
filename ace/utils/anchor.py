"""Where anchors are kept, and the key that signs them: `ace.core.ports.AnchorLog`.

/var/lib/ace/anchors.jsonl, file:///…    one file, one line an anchor; only ever appended to
s3://bucket/prefix                       one object an anchor, created and never replaced; give the bucket object
                                         lock, and the server's credentials no right to delete
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from ace.core.ports import AnchorLog
from ace.errors import InvalidInput
from ace.system import private
from ace.utils.files import disk_faults, flush_folder
from ace.utils.object_store import open_bucket, s3_faults

KEY_BYTES = 32
NAME = "anchor-{:012d}.json"


def open_log(url: str) -> AnchorLog:
    """The log a URL names. Raises InvalidInput for one that names none."""
    parts = urlsplit(url)
    if parts.scheme == "s3" and parts.netloc:
        return BucketAnchors(parts.netloc, parts.path.strip("/"))
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.strip("/"):
        return FileAnchors(Path(unquote(parts.path)))
    if url and "://" not in url:
        return FileAnchors(Path(url))
    raise InvalidInput("ACE_ANCHOR_URL", f"'{url}' names no place", "Write a file, file:///file or s3://bucket/prefix")


def key_in(path: Path, make: bool) -> bytes | None:
    """The key in a file; with `make`, a new one for its owner alone to read, if there is none.

    Raises InvalidInput for a file that holds no key, StoreUnavailable.
    """
    with disk_faults(path):
        if make:
            _make_key(path)
        try:
            text = path.read_text().strip()
        except FileNotFoundError:
            return None
    if len(text) < KEY_BYTES:
        raise InvalidInput(
            "ACE_ANCHOR_KEY_FILE", f"{path} holds fewer than {KEY_BYTES} characters", "Bring the key back"
        )
    return text.encode()


def _make_key(path: Path) -> None:
    private.make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, private.FILE)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # whole or absent, and the first one stays
            os.link(temporary, path)
        flush_folder(path.parent)
    finally:
        temporary.unlink()


class FileAnchors:
    """A file of lines. A last line that a power cut has torn counts as not written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def url(self) -> str:
        return str(self._path)

    def lines(self) -> list[str]:
        with disk_faults(self._path):
            try:
                return _whole(self._path.read_bytes())
            except FileNotFoundError:
                return []

    def append(self, number: int, line: str) -> bool:
        with disk_faults(self._path):
            private.make_folder(self._path.parent)
            with self._held() as file:
                data = file.read()
                if len(_whole(data)) != number - 1:
                    return False
                file.truncate(data.rfind(b"\n") + 1)
                file.seek(0, os.SEEK_END)
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            flush_folder(self._path.parent)
        return True

    @contextmanager
    def _held(self) -> Iterator[BinaryIO]:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, private.FILE)
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _whole(data: bytes) -> list[str]:
    return data[: data.rfind(b"\n") + 1].decode(errors="replace").splitlines()


class BucketAnchors:
    """A prefix in a bucket."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self.url = "/".join(part for part in (f"s3://{bucket}", prefix) if part)
        with s3_faults(self.url):
            self._store = open_bucket(bucket, prefix)

    def lines(self) -> list[str]:
        with s3_faults(self.url):
            names = sorted(meta["path"] for page in self._store.list() for meta in page)
            return [bytes(self._store.get(name).bytes()).decode(errors="replace")
                    for name in names if name.startswith("anchor-")]  # fmt: skip

    def append(self, number: int, line: str) -> bool:
        from obstore.exceptions import AlreadyExistsError

        with s3_faults(self.url):
            try:
                self._store.put(NAME.format(number), line.encode(), mode="create")
            except AlreadyExistsError:
                return False
        return True
