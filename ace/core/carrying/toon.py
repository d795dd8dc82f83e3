"""The table of TOON (token-oriented object notation), as python-toon writes a list of alike objects.

    skills[2<tab>]{id<tab>section<tab>content}:
      strategy-00001<tab>Strategy<tab>"a value with a : in it, \\"quoted\\", with \\n for a line break"

The delimiter is the one in the brackets, a comma where there is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ace.errors import InvalidInput

_HEAD = re.compile(r"(?:skills|bullets)\[(?P<size>\d+)(?P<mark>[\t|,]?)\]\{(?P<names>[^}\n]+)\}:")


def is_table(text: str) -> bool:
    """Does it begin with the head of a table of skills or bullets?"""
    return _HEAD.match(text.lstrip()) is not None


def rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row by the names in the head, and its line. Raises InvalidInput for one that does not fit it."""
    lines = text.strip().split("\n")
    head = _HEAD.match(lines[0])
    if head is None:
        raise InvalidInput("line 1", "is not the head of a table", "Give the whole of as_prompt()")
    mark = head["mark"] or ","
    names = head["names"].split(mark)
    for number, line in enumerate(lines[1:], start=2):
        values = _values(number, line.strip(" \r"), mark)
        if len(values) != len(names):
            raise InvalidInput(f"line {number}", f"has {len(values)} values for {len(names)} names", "Give all of it")
        yield number, dict(zip(names, values, strict=True))
    if len(lines) - 1 != int(head["size"]):
        raise InvalidInput("line 1", f"says {head['size']} rows, there are {len(lines) - 1}", "Give all of it")


def _values(number: int, line: str, mark: str) -> list[str]:
    each = re.findall(rf'("(?:[^"\\]|\\.)*"|[^{re.escape(mark)}]*)(?:{re.escape(mark)}|$)', line)
    each = each[:-1] if each and each[-1] == "" and not line.endswith(mark) else each
    try:
        return [json.loads(value) if value.startswith('"') else value for value in each]
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"line {number}", f"holds a value that is badly quoted ({error.msg})", "Correct it"
        ) from error
