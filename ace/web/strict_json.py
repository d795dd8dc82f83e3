"""JSON that says one thing: no duplicate keys, no NaN, no number too large for a float, no half characters, no NUL."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from ace.core.validation import MAX_DEPTH, MAX_NAME_SHOWN, check_texts, first_repeated
from ace.errors import InvalidInput

_ESCAPED = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")


def parse(body: bytes) -> Any:
    """The value. Raises InvalidInput saying what is wrong with it."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("body", "is not UTF-8", "Send JSON as UTF-8") from None
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise InvalidInput("body", "is nested too deeply", f"Nest at most {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise InvalidInput("body", f"is not JSON: {error.msg} at character {error.pos}", "Send valid JSON") from None
    except ValueError as error:
        raise InvalidInput("body", f"holds a number nobody can use: {error}", "Send numbers of usual size") from None
    if b"\0" in body or _ESCAPED.search(body):
        check_texts(value, "body")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = first_repeated(name for name, _ in pairs) or ""
        raise InvalidInput(twice[:MAX_NAME_SHOWN], "is given twice", "Give each field once")
    return members


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise InvalidInput("body", f"holds the number {digits[:20]}, which is too large", "Send numbers of usual size")
    return value


def _constant(name: str) -> NoReturn:
    raise InvalidInput("body", f"holds {name}, which is not JSON", "Send a number or null")


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_float=_number, parse_constant=_constant)
