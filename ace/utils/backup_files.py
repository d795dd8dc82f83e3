"""The file a backup is: JSON Lines, gzipped, sealed. `zcat` shows it; nothing but this module need read it.

    {"ace_backup": 1, "revision": …, "release": …, "created_at": …, "secrets": …, "tables": {name: [columns]}}
    {"table": "domains"}                      then a line per row, an array in the order of the columns
    ["customer-a", 3, "9f…", 384, "2026-…"]
    {"rows": {table: count}, "heads": {domain: [seq, hash]}}
    {"sha256": …}                             the seal: of every byte of the file before it

The seal is a gzip member of its own, 101 bytes long, whose bytes follow from the hash alone. So a change of any bit of
the file, or an end cut off, is noticed before one line of it is believed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ace.errors import InvalidInput, NotFound
from ace.models.backup import FORMAT, Header, Page, Summary
from ace.models.journal import Position
from ace.utils.files import disk_faults

SUFFIX = ".jsonl.gz"
LEVEL = 4  # of 1 to 9: vectors hardly shrink, and text is a quarter by then
PAGE_ROWS = 256
LINE_BYTES = 256 * 2**20  # a longer line is no row of ours
BLOCK = 2**20

_GZIP = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))  # deflate, no name, no time
_text = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, EOFError, zlib.error, gzip.BadGzipFile)


class JsonLinesBackups:
    """`ace.core.backup_ports.BackupFiles`."""

    def write(self, file: Path, header: Header, pages: Iterable[Page]) -> str:
        """Make a backup of these rows, sealed and flushed to disk; its hash. Raises StoreUnavailable, leaving none."""
        with disk_faults(file):
            try:
                with file.open("xb") as raw:
                    return _write(raw, header, pages)
            except BaseException:
                file.unlink(missing_ok=True)
                raise

    @contextmanager
    def reading(self, file: Path) -> Iterator[Reading]:
        """The backup, once every byte of it is known to be as it was written."""
        if not file.is_file():
            raise NotFound(f"There is no backup {file}. See `ace db backups` for those there are.")
        with disk_faults(file), file.open("rb") as raw:
            sha256, size = _checked(raw, file)
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw, mode="rb") as lines:
                yield Reading(file, lines, sha256, size)


class Reading:
    """`ace.core.backup_ports.BackupReading`: one pass over a sealed file."""

    def __init__(self, file: Path, lines: gzip.GzipFile, sha256: str, size: int) -> None:
        self._file, self._lines = file, lines
        self.sha256, self.size = sha256, size
        self.summary: Summary | None = None
        try:
            self.header = _header(json.loads(lines.readline(LINE_BYTES)))
        except _UNREADABLE as error:
            raise self._fault("has no header that can be read") from error
        if self.header.format != FORMAT:
            raise InvalidInput(str(file), f"is of format {self.header.format}, not {FORMAT}",
                               "Restore it with the release that wrote it, or upgrade ACE")  # fmt: skip

    def pages(self) -> Iterator[Page]:
        """The rows, once; at the end `summary` is known. Raises InvalidInput when it is not true."""
        counted = _Counted(self.header)
        try:
            for page in self._parsed():
                counted.take(page)
                yield page
        except _UNREADABLE as error:
            raise self._fault(f"cannot be read ({type(error).__name__})") from error
        if self.summary != counted.summary():
            raise self._fault("does not hold the rows it says it holds")

    def _parsed(self) -> Iterator[Page]:
        columns: tuple[str, ...] = ()
        table, rows = "", []
        while True:
            line = json.loads(self._lines.readline(LINE_BYTES))
            if isinstance(line, list) and len(line) == len(columns):
                rows.append(line)
                if len(rows) < PAGE_ROWS:
                    continue
            if rows:
                yield Page(table=table, columns=columns, rows=rows)
                rows = []
            if isinstance(line, dict):
                if "table" not in line:
                    break
                table, columns = line["table"], self.header.tables[line["table"]]
        self.summary = _summary(line)

    def _fault(self, problem: str) -> InvalidInput:
        return InvalidInput(str(self._file), problem, "It was not written by ACE as it is. Use another backup")


class _Counted:
    """What a summary says, counted from the pages."""

    def __init__(self, header: Header) -> None:
        self._rows = dict.fromkeys(header.tables, 0)
        self._heads: dict[str, Position] = {}

    def take(self, page: Page) -> None:
        self._rows[page.table] += len(page.rows)
        if page.table == "domains":
            own, seq, head = (page.columns.index(name) for name in ("domain_id", "seq", "head_hash"))
            self._heads |= {row[own]: Position(seq=row[seq], hash=row[head]) for row in page.rows}

    def summary(self) -> Summary:
        return Summary(rows=self._rows, heads=self._heads)


class _Hashed:
    """A file to write to that remembers the hash of all that was written."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._sum = raw, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._sum.update(data)
        return self._raw.write(data)

    def sha256(self) -> str:
        return self._sum.hexdigest()


def seal(sha256: str) -> bytes:
    """The file's last bytes: a gzip member that stores its one line as it is."""
    line = _line({"sha256": sha256})
    stored = struct.pack("<BHH", 1, len(line), len(line) ^ 0xFFFF) + line
    return _GZIP + stored + struct.pack("<II", zlib.crc32(line), len(line))


def _write(raw: BinaryIO, header: Header, pages: Iterable[Page]) -> str:
    hashed, counted = _Hashed(raw), _Counted(header)
    hashed.write(_GZIP)
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    crc = size = 0
    for text in _lines(header, pages, counted):
        crc, size = zlib.crc32(text, crc), (size + len(text)) % 2**32
        hashed.write(packer.compress(text))
    hashed.write(packer.flush() + struct.pack("<II", crc, size))
    sha256 = hashed.sha256()
    raw.write(seal(sha256))
    raw.flush()
    os.fsync(raw.fileno())
    return sha256


def _lines(header: Header, pages: Iterable[Page], counted: _Counted) -> Iterator[bytes]:
    yield _line({"ace_backup": header.format, "revision": header.revision, "release": header.release,
                 "created_at": header.created_at, "secrets": header.secrets, "tables": header.tables})  # fmt: skip
    table = ""
    for page in pages:
        if page.table != table:
            yield _line({"table": page.table})
            table = page.table
        counted.take(page)
        yield b"".join(map(_line, page.rows))
    summary = counted.summary()
    heads = {domain: [head.seq, head.hash] for domain, head in summary.heads.items()}
    yield _line({"rows": summary.rows, "heads": heads})


def _line(value: Any) -> bytes:
    return _text(value).encode() + b"\n"


def _header(data: dict[str, Any]) -> Header:
    tables = {name: tuple(columns) for name, columns in data["tables"].items()}
    return Header(format=data["ace_backup"], revision=data["revision"], release=data["release"],
                  created_at=data["created_at"], secrets=data["secrets"], tables=tables)  # fmt: skip


def _summary(data: dict[str, Any]) -> Summary:
    heads = {domain: Position(seq=seq, hash=own) for domain, (seq, own) in data["heads"].items()}
    return Summary(rows=data["rows"], heads=heads)


def _checked(raw: BinaryIO, file: Path) -> tuple[str, int]:
    """The hash the seal must name, and the file's size. Raises InvalidInput unless it does."""
    size, found = os.fstat(raw.fileno()).st_size, hashlib.sha256()
    left = size - len(seal(found.hexdigest()))
    while left > 0 and (block := raw.read(min(BLOCK, left))):
        found.update(block)
        left -= len(block)
    if left != 0 or raw.read() != seal(found.hexdigest()):
        raise InvalidInput(str(file), "is damaged, cut short or no ACE backup: its seal does not fit its content",
                           "Use another one: ace db backups")  # fmt: skip
    return found.hexdigest(), size
