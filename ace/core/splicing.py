"""Put text into JSON without touching another byte of it: where a member or an element stands, and edits by place.

Parsing and writing anew would change numbers, escapes, order and white space; what is spliced stays what it was.
Of a member that is given twice the last counts, as for every usual reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_DECODE = json.JSONDecoder(strict=False).raw_decode
_BLANK = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Span:
    """A value, and where in the text it stands: text[begin:end]."""

    begin: int
    end: int
    value: Any


@dataclass(frozen=True, slots=True)
class Edit:
    """`new` in the place of text[begin:end]; an insertion where the two are the same."""

    begin: int
    end: int
    new: str


def whole(text: str) -> Span:
    """The value the text is. Raises ValueError unless it is one, and nothing else."""
    begin = _skip(text, 0)
    value, end = _DECODE(text, begin)
    if _skip(text, end) != len(text):
        raise ValueError("there is something after the value")
    return Span(begin, end, value)


def members(text: str, of: Span) -> dict[str, Span]:
    """The members of an object."""
    found: dict[str, Span] = {}
    at = _skip(text, of.begin + 1)
    while text[at] != "}":
        name, at = _DECODE(text, at)
        value = _value(text, _skip(text, at) + 1)
        found[name] = value
        at = _skip(text, value.end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return found


def elements(text: str, of: Span) -> list[Span]:
    """The elements of an array."""
    found: list[Span] = []
    at = _skip(text, of.begin + 1)
    while text[at] != "]":
        found.append(_value(text, at))
        at = _skip(text, found[-1].end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return found


def first_member(of: Span, name: str, value: str) -> Edit:
    """A new member in front; the object has others. `value` is JSON."""
    return Edit(of.begin + 1, of.begin + 1, f"{json.dumps(name)}:{value},")


def last_element(text: str, of: Span, value: str) -> Edit:
    """A new element at the end."""
    there = elements(text, of)
    at = there[-1].end if there else of.begin + 1
    return Edit(at, at, f",{value}" if there else value)


def first_element(of: Span, value: str) -> Edit:
    """A new element in front."""
    return Edit(of.begin + 1, of.begin + 1, f"{value},") if of.value else Edit(of.begin + 1, of.begin + 1, value)


def longer(of: Span, more: str) -> Edit:
    """More text at the end of a string."""
    return Edit(of.end - 1, of.end - 1, json.dumps(more)[1:-1])


def instead(of: Span, value: str) -> Edit:
    """Another value in its place."""
    return Edit(of.begin, of.end, value)


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made."""
    for edit in sorted(edits, key=lambda one: one.begin, reverse=True):
        text = text[: edit.begin] + edit.new + text[edit.end :]
    return text


def _value(text: str, at: int) -> Span:
    begin = _skip(text, at)
    value, end = _DECODE(text, begin)
    return Span(begin, end, value)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at
