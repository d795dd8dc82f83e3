"""Where backups lie: a folder, or a bucket of any S3-compatible server, by URL: `ace.core.backup_ports.BackupPlace`.

/var/backups/ace, file:///var/backups/ace     a folder; made when first written to, its files for their owner only
s3://bucket/prefix                            credentials, region and endpoint from the standard AWS_ variables, which
                                              the S3 library reads: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
                                              AWS_REGION, AWS_ENDPOINT_URL (for MinIO, Ceph, R2 and their like)
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ace.core.backup_ports import BackupPlace
from ace.errors import InvalidInput, NotFound, StoreUnavailable
from ace.models.backup import Stored
from ace.system import private
from ace.utils.files import disk_faults, flush_folder

if TYPE_CHECKING:
    from obstore.store import S3Store

NAME = re.compile(r"ace-(\d{8}-\d{6})(?:-(\d+))?\.jsonl\.gz")
CONNECT_S, REQUEST_S, RETRY_S = 5, 60, 20
BLOCK = 8 * 2**20  # bytes asked for at once: a request must end in REQUEST_S


def open_place(url: str) -> BackupPlace:
    """The place a URL names. Raises InvalidInput for one that names none."""
    parts = urlsplit(url)
    if parts.scheme == "s3" and parts.netloc:
        return BucketPlace(parts.netloc, parts.path.strip("/"))
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.strip("/"):
        return FolderPlace(Path(unquote(parts.path)))
    if url and "://" not in url and parts.scheme not in ("s3", "file"):
        return FolderPlace(Path(url))
    raise InvalidInput(
        "ACE_BACKUP_URL", f"'{url}' names no place", "Write a folder, file:///folder or s3://bucket/prefix"
    )


def locate(where: str, home: BackupPlace) -> tuple[BackupPlace, str]:
    """The place and the name of one backup: `latest` or a name of `home`'s, a path, or a URL. Raises NotFound."""
    if where == "latest":
        names = [stored.name for stored in home.listed()]
        if not names:
            raise NotFound(f"There is no backup in {home.url('')}. Take one: ace db backup.")
        return home, names[-1]
    if NAME.fullmatch(where) and not Path(where).exists():
        return home, where
    folder, _, name = where.rpartition("/")
    return open_place(folder or ("/" if where.startswith("/") else ".")), name


def in_order(found: list[Stored]) -> list[Stored]:
    """Those that have a backup's name, oldest first."""
    matched = [(match.group(1), int(match.group(2) or 1), one) for one in found if (match := NAME.fullmatch(one.name))]
    return [one for _, _, one in sorted(matched, key=lambda row: row[:2])]


class FolderPlace:
    """A folder: each file is written beside its name, flushed, then renamed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, file: Path) -> None:
        target = self._folder / name
        temporary = self._folder / f".{name}.{os.getpid()}.{threading.get_ident()}.tmp"
        with disk_faults(self._folder):
            private.make_folder(self._folder)
            try:
                _copy(file, temporary)
                temporary.replace(target)
            finally:
                with suppress(OSError):
                    temporary.unlink()
            flush_folder(self._folder)

    def fetch(self, name: str, scratch: Path) -> Path:
        del scratch
        if not (self._folder / name).is_file():
            raise NotFound(f"There is no backup {self.url(name)}. See `ace db backups` for those there are.")
        return self._folder / name

    def listed(self) -> list[Stored]:
        if not self._folder.is_dir():
            return []
        with disk_faults(self._folder):
            found = [(file.name, file.stat()) for file in self._folder.iterdir() if NAME.fullmatch(file.name)]
        return in_order([Stored(name=name, size=stat.st_size, modified=_epoch(stat.st_mtime)) for name, stat in found])

    def delete(self, name: str) -> None:
        with disk_faults(self._folder):
            (self._folder / name).unlink(missing_ok=True)

    def url(self, name: str) -> str:
        return str(self._folder / name)


def _copy(file: Path, target: Path) -> None:
    """For its owner alone to read, as a backup holds secrets; flushed to disk."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, private.FILE)
    with file.open("rb") as source, os.fdopen(handle, "wb") as copy:
        shutil.copyfileobj(source, copy)
        copy.flush()
        os.fsync(copy.fileno())


class BucketPlace:
    """A prefix in a bucket; an object is there once the server has all of it."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, prefix
        with s3_faults(self.url("")):
            self._store = open_bucket(bucket, prefix)

    def put(self, name: str, file: Path) -> None:
        with s3_faults(self.url(name)):
            self._store.put(name, file)

    def fetch(self, name: str, scratch: Path) -> Path:
        target = scratch / name
        with s3_faults(self.url(name)):
            size = self._head(name)["size"]
        self._download(name, target, size)
        return target

    def _head(self, name: str) -> Any:
        try:
            return self._store.head(name)
        except FileNotFoundError as error:
            raise NotFound(f"There is no backup {self.url(name)}. See `ace db backups` for those there are.") from error

    def _download(self, name: str, target: Path, size: int) -> None:
        for start in range(0, size, BLOCK):
            with s3_faults(self.url(name)):
                block = bytes(self._store.get_range(name, start=start, end=min(start + BLOCK, size)))
            with disk_faults(target), target.open("ab") as file:
                file.write(block)

    def listed(self) -> list[Stored]:
        with s3_faults(self.url("")):
            metas = [meta for page in self._store.list() for meta in page]
        return in_order([Stored(name=meta["path"], size=meta["size"], modified=_time(meta["last_modified"]))
                         for meta in metas])  # fmt: skip

    def delete(self, name: str) -> None:
        with s3_faults(self.url(name)):
            self._store.delete(name)

    def url(self, name: str) -> str:
        return "/".join(part for part in (f"s3://{self._bucket}", self._prefix, name) if part)


def open_bucket(bucket: str, prefix: str) -> S3Store:
    """The bucket, every name in it below `prefix`; nothing is asked of the server yet."""
    from obstore.store import S3Store

    return S3Store(
        bucket,
        prefix=prefix or None,
        client_options={"allow_http": True, "connect_timeout": f"{CONNECT_S}s", "timeout": f"{REQUEST_S}s"},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=RETRY_S)},
    )


@contextmanager
def s3_faults(url: str) -> Iterator[None]:
    """A server that refuses becomes one sentence: raises StoreUnavailable."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        text = " ".join(str(error).split("Debug source")[0].split())[:300].rstrip(". :")
        raise StoreUnavailable(
            f"{url} cannot be used: {text}. Check that the bucket exists and that AWS_ENDPOINT_URL, AWS_REGION, "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are right, then try again; nothing was half written."
        ) from error


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _epoch(seconds: float) -> str:
    return _time(datetime.fromtimestamp(seconds, UTC))
