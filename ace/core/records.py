"""Frozen dataclasses as lines of JSON, and back: the type hints are the schema.

Understood: dataclasses, enums, str, int, float, bool, tuple[X, ...], X | None. A field that is absent takes its
default, a field that is unknown is passed over, so records of earlier and later releases can be read.
Text travels as ASCII escapes: every string a model can produce, a lone surrogate too, comes back as it was.
"""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def to_line(record: Any) -> str:
    """The dataclass as one line of JSON, without the line's end. Raises ValueError for NaN and infinities."""
    return json.dumps(dataclasses.asdict(record), allow_nan=False, separators=(",", ":"))


def from_line(line: str | bytes, record_type: type[Record]) -> Record:
    """The dataclass a line holds. Raises ValueError saying which field cannot be used."""
    return cast(Record, _build(json.loads(line), record_type, record_type.__name__))


def _build(value: Any, hint: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _dataclass(value, cast(type, hint), where)
    if get_origin(hint) in (Union, UnionType):
        return _optional(value, hint, where)
    if get_origin(hint) is tuple:
        items = _expect(value, list, where)
        return tuple(_build(item, get_args(hint)[0], f"{where}[{i}]") for i, item in enumerate(items))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return _expect(value, hint, where)


def _dataclass(value: Any, hint: type, where: str) -> Any:
    given, hints = _expect(value, dict, where), _hints(hint)
    known = {name: _build(given[name], field, f"{where}.{name}") for name, field in hints.items() if name in given}
    try:
        return hint(**known)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error


def _optional(value: Any, hint: Any, where: str) -> Any:
    if value is None:
        return None
    inner = next(choice for choice in get_args(hint) if choice is not type(None))
    return _build(value, inner, where)


def _expect(value: Any, kind: type, where: str) -> Any:
    """The value itself, when it is of its kind; an int passes for a float, a bool for nothing but a bool."""
    kinds = (int, float) if kind is float else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where} should be {kind.__name__}, not {type(value).__name__}")
    return value


@cache
def _hints(hint: type) -> dict[str, Any]:
    resolved = get_type_hints(hint)
    return {field.name: resolved[field.name] for field in dataclasses.fields(hint)}
