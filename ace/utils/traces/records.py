"""A file of records: JSON Lines, one JSON document, a list in it, or CSV; each record knows where it stands.

A line that cannot be read is told with its number, and the others are read. NaN, numbers beyond a float's range and a
field that is given twice are refused, as everywhere.
"""

from __future__ import annotations

import csv
import io
import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ace.errors import InvalidInput
from ace.utils.json_lines import STRICT, json_type

MAX_FILE_BYTES = 1_000_000_000
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One object of a file. `where`: the file, and the line or the place in the list."""

    where: str
    fields: dict[str, Any]

    def fault(self, field: str, problem: str, remedy: str = "") -> InvalidInput:
        """The error to raise about a field of it."""
        return InvalidInput(f"{self.where}, {field}", problem, remedy)


def read(file: Path) -> Iterator[Record | InvalidInput]:
    """Every record of the file, or why it is none. Raises InvalidInput when the file itself cannot be read."""
    return parse(str(file), _bytes(file), table=file.suffix.lower() == ".csv")


def parse(name: str, data: bytes, *, table: bool = False) -> Iterator[Record | InvalidInput]:
    """The records of a file's content."""
    data = data.removeprefix(BOM_UTF8)
    if table:
        yield from _rows(name, data)
        return
    whole = _whole(data)
    if isinstance(whole, list):
        for number, one in enumerate(whole, start=1):
            yield _record(f"{name}, item {number}", one)
    elif isinstance(whole, dict):
        yield Record(where=f"{name}, line 1", fields=whole)
    else:
        for number, line in enumerate(data.split(b"\n"), start=1):
            if line.strip():
                yield _line(f"{name}, line {number}", line)


def _whole(data: bytes) -> Any:
    """The one document that a file is, if it is; None for lines."""
    first = data.lstrip()[:1]
    if first not in (b"[", b"{"):
        return None
    try:
        return STRICT.decode(data.decode())
    except (ValueError, RecursionError):
        return None


def _line(where: str, line: bytes) -> Record | InvalidInput:
    try:
        return _record(where, STRICT.decode(line.decode()))
    except UnicodeDecodeError as error:
        return InvalidInput(where, f"is not UTF-8 (byte {error.start + 1})", "Save the file as UTF-8")
    except json.JSONDecodeError as error:
        return InvalidInput(where, f"is not valid JSON ({error.msg}, column {error.colno})", "Export it again")
    except ValueError as error:
        return InvalidInput(where, str(error), "Export it again")
    except RecursionError:
        return InvalidInput(where, "is nested too deeply", "Export it again")


def _record(where: str, found: Any) -> Record | InvalidInput:
    if isinstance(found, dict):
        return Record(where=where, fields=found)
    return InvalidInput(where, f"is {json_type(found)}, not an object", "Give one object a line, or a list of objects")


def _rows(name: str, data: bytes) -> Iterator[Record | InvalidInput]:
    csv.field_size_limit(MAX_FILE_BYTES)
    try:
        lines = csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True)
        for row in lines:
            told = {key: value for key, value in row.items() if isinstance(key, str) and value not in (None, "")}
            yield Record(where=f"{name}, line {lines.line_num}", fields=told)
    except UnicodeDecodeError as error:
        yield InvalidInput(name, f"is not UTF-8 (byte {error.start + 1})", "Save the file as UTF-8")
    except csv.Error as error:
        yield InvalidInput(name, f"is not CSV ({error})", "Export it again")


def _bytes(file: Path) -> bytes:
    if not file.is_file():
        raise InvalidInput(str(file), "is not a file" if file.exists() else "does not exist", "Check the path")
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput(str(file), f"has more than {MAX_FILE_BYTES:,} bytes", "Split it by its lines")
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInput(str(file), f"cannot be read ({error.strerror})", "Check its permissions") from error
    if data.startswith(GZIP):
        raise InvalidInput(str(file), "is compressed", "Run gunzip on it first")
    if data.startswith(PARQUET):
        raise InvalidInput(
            str(file), "is Parquet", "Export JSON or CSV: spans.to_json(path, orient='records', lines=True)"
        )
    return data
