"""JSON Lines, read strictly: one JSON object a line, UTF-8; the first thing wrong is named by file, line and field.

A file is read whole or not at all. A byte order mark at the start and blank lines are passed over. Refused are
NaN, infinities, numbers beyond a float's range, a field that is given twice, NUL and lone surrogates: whatever
passes here can be stored, sent and shown.
"""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ace.core.validation import MAX_NAME_SHOWN, first_repeated
from ace.errors import InvalidInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line's object and where it stands."""

    file: Path
    number: int
    fields: dict[str, Any]

    def fault(self, field: str, problem: str, remedy: str = "") -> InvalidInput:
        """The error to raise about a field of this line."""
        return InvalidInput(f"{self.file}, line {self.number}, {field}", problem, remedy)

    def text(self, field: str) -> str:
        """The field's text, ends trimmed. Raises InvalidInput when it is missing, no text, or empty."""
        if field not in self.fields:
            raise self.fault(field, "is missing", "Add it")
        return self.checked(field, self.fields[field])

    def checked(self, field: str, value: object) -> str:
        """The value as text that can be stored. Raises InvalidInput."""
        if not isinstance(value, str):
            raise self.fault(field, f"should be a string, not {json_type(value)}")
        if not value.strip():
            raise self.fault(field, "is empty", "Give it some words")
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise self.fault(field, "holds a NUL or a lone surrogate", "Remove it")
        return value.strip()


def json_type(value: object) -> str:
    """What JSON calls the type of a value: `a number`, `null`, …"""
    for kinds, name in ((bool, "true or false"), ((int, float), "a number"), (str, "a string"), (list, "an array")):
        if isinstance(value, kinds):
            return name
    return "null" if value is None else "an object"


def read_bytes(file: Path) -> bytes:
    """The file's content. Raises InvalidInput when it is missing, not a plain file, unreadable or empty."""
    if not file.exists():
        raise InvalidInput(str(file), "does not exist", "Check the path")
    if not file.is_file():
        raise InvalidInput(str(file), "is not a file", "Name a file of tasks, one JSON object a line")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInput(str(file), f"cannot be read ({error.strerror})", "Check its permissions") from error
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise InvalidInput(str(file), "is UTF-16", "Save it as UTF-8")
    if not data.removeprefix(BOM_UTF8).strip():
        raise InvalidInput(str(file), "is empty", "Put one task a line into it")
    return data


def parse_rows(file: Path, data: bytes) -> list[Row]:
    """Every object of the file, in order. Raises InvalidInput for the first line that is none."""
    lines = data.removeprefix(BOM_UTF8).split(b"\n")
    return [
        Row(file=file, number=number, fields=_parse(f"{file}, line {number}", line))
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _parse(where: str, line: bytes) -> dict[str, Any]:
    try:
        found = STRICT.decode(line.decode())
    except UnicodeDecodeError as error:
        raise InvalidInput(where, f"is not UTF-8 (byte {error.start + 1})", "Save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON ({error.msg}, column {error.colno})"
        raise InvalidInput(where, problem, "Complete or delete the line") from error
    except ValueError as error:
        raise InvalidInput(where, str(error), "Correct the line") from error
    except RecursionError as error:
        raise InvalidInput(where, "is nested too deeply", "A task is a flat object") from error
    if not isinstance(found, dict):
        raise InvalidInput(where, f"is {json_type(found)}, not an object", 'Write {"question": …} on each line')
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"holds {name}, which is not a number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"holds {digits[:20]}, which is too large for a number")
    return number


def _each_field_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = first_repeated(name for name, _ in pairs) or ""
        raise ValueError(f"gives the field '{twice[:MAX_NAME_SHOWN]}' twice")
    return fields


STRICT = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_each_field_once)
"""JSON in which each field stands once and each number is one. Raises ValueError, RecursionError."""
