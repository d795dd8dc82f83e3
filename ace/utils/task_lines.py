"""Our own task format (docs/task-format.md): one task a line, fields that all tasks share in an optional first line.

{"defaults": {"kind": "number", "decimals": 1}}
{"id": "t1", "question": "What is 3 / 4?", "ground_truth": 0.75, "group": "fractions"}
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, count
from typing import Any

from ace.models.task import AnswerKind, Task
from ace.utils.json_lines import Row, json_type

FIELDS = ("id", "question", "context", "options", "ground_truth", "answer", "kind", "decimals", "group")
SHARED = ("context", "options", "kind", "decimals")
HEADER = ("defaults", "name", "about")
MAX_ID_CHARS = 100
MAX_DECIMALS = 12

Options = dict[tuple[str, ...], tuple[str, ...]]


def read_tasks(rows: Sequence[Row]) -> list[Task]:
    """The tasks of a file in our format. Raises InvalidInput naming the first line and field that cannot be used."""
    header, rows = split_header(rows)
    defaults = _defaults(header)
    seen: Options = {}
    tasks = [_task(_complete(row, defaults), seen) for row in rows]
    given = _given_ids(rows, tasks)
    made = iter(numbered((_made_id(task) for task in tasks if not task.id), taken=given))
    return [task if task.id else replace(task, id=next(made)) for task in tasks]


def split_header(rows: Sequence[Row]) -> tuple[Row | None, Sequence[Row]]:
    """The first line when it is a header, and the lines that are tasks."""
    if rows and "defaults" in rows[0].fields:
        return rows[0], rows[1:]
    return None, rows


def short_hash(*parts: str) -> str:
    """Ten letters and digits that stand for these texts: 50 bits of SHA-256 in lower-case base 32."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.b32encode(digest[:7]).decode().lower()[:10]


def numbered(keys: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The keys, made unique and none of `taken`: the second `a` is `a-2`, the third `a-3`."""
    used = set(taken)
    unique = []
    for key in keys:
        name = next(name for name in chain([key], (f"{key}-{i}" for i in count(2))) if name not in used)
        used.add(name)
        unique.append(name)
    return unique


def as_number(text: str) -> float | None:
    """The finite number a text is, thousands separators allowed, or None."""
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def known_answer(row: Row, field: str, answer: str, kind: AnswerKind, options: Sequence[str]) -> str:
    """The answer itself. Raises InvalidInput when no attempt could ever equal it."""
    if kind is AnswerKind.NUMBER and as_number(answer) is None:
        raise row.fault(field, f"'{answer[:40]}' is not a number", 'Give a number, or set "kind" to "text"')
    if options and answer.casefold() not in _folded(tuple(options)):
        raise row.fault(field, f"'{answer[:80]}' is not among the options", "Add it to the options or correct it")
    return answer


@lru_cache(maxsize=64)
def _folded(options: tuple[str, ...]) -> frozenset[str]:
    return frozenset(option.casefold() for option in options)


def _given_ids(rows: Sequence[Row], tasks: Sequence[Task]) -> dict[str, int]:
    """The ids that the file gives and their lines. Raises InvalidInput when one is given twice."""
    lines: dict[str, int] = {}
    for row, task in zip(rows, tasks, strict=True):
        if task.id in lines:
            remedy = "Give every task its own id, or none"
            raise row.fault("id", f"'{task.id}' was given on line {lines[task.id]} already", remedy)
        if task.id:
            lines[task.id] = row.number
    return lines


def _defaults(header: Row | None) -> dict[str, Any]:
    if header is None:
        return {}
    _only(header, header.fields, HEADER)
    defaults = header.fields["defaults"]
    if not isinstance(defaults, dict):
        raise header.fault("defaults", f"should be an object, not {json_type(defaults)}")
    _only(header, defaults, SHARED)
    return defaults


def _complete(row: Row, defaults: dict[str, Any]) -> Row:
    _only(row, row.fields, FIELDS)
    return Row(file=row.file, number=row.number, fields={**defaults, **row.fields}) if defaults else row


def _only(row: Row, fields: dict[str, Any], known: Sequence[str]) -> None:
    for field in fields:
        if field not in known:
            near = difflib.get_close_matches(field, known, n=1)
            remedy = f"Perhaps '{near[0]}' is meant" if near else f"Known: {', '.join(known)}"
            raise row.fault(f"'{field[:60]}'", "is not a known field", remedy)


def _task(row: Row, seen: Options) -> Task:
    kind = _kind(row)
    options = _options(row)
    return Task(
        id=_id(row),
        question=row.text("question"),
        context=_optional_text(row, "context"),
        options=seen.setdefault(options, options),
        ground_truth=_ground_truth(row, kind, options),
        kind=kind,
        decimals=_decimals(row),
        group=_optional_text(row, "group"),
    )


def _optional_text(row: Row, field: str) -> str:
    value = row.fields.get(field)
    return "" if value is None or value == "" else row.checked(field, value)


def _id(row: Row) -> str:
    """The task's id, or an empty string when the line has none."""
    found = row.fields.get("id")
    if found is None:
        return ""
    name = str(found) if type(found) is int else row.checked("id", found)
    if len(name) > MAX_ID_CHARS or not name.isprintable():
        raise row.fault("id", f"should be at most {MAX_ID_CHARS} printable characters", "Shorten it")
    return name


def _kind(row: Row) -> AnswerKind:
    kind = row.fields.get("kind", AnswerKind.TEXT.value)
    if kind not in (known.value for known in AnswerKind):
        raise row.fault("kind", f"{kind!r} is not a kind of answer", f"Known: {', '.join(AnswerKind)}")
    return AnswerKind(kind)


def _decimals(row: Row) -> int:
    decimals = row.fields.get("decimals", 2)
    if type(decimals) is not int or not 0 <= decimals <= MAX_DECIMALS:
        raise row.fault("decimals", f"should be a whole number from 0 to {MAX_DECIMALS}")
    return decimals


def _options(row: Row) -> tuple[str, ...]:
    options = row.fields.get("options")
    if options is None:
        return ()
    if not isinstance(options, list):
        raise row.fault("options", f"should be an array of strings, not {json_type(options)}")
    found = tuple(row.checked(f"options[{i}]", option) for i, option in enumerate(options))
    if len(found) == 1 or len({option.casefold() for option in found}) < len(found):
        raise row.fault("options", "should be two or more different answers", "Remove what is there twice")
    return found


def _ground_truth(row: Row, kind: AnswerKind, options: Sequence[str]) -> str | None:
    given = [field for field in ("ground_truth", "answer") if row.fields.get(field) is not None]
    if len(given) > 1:
        raise row.fault("answer", "is another name for ground_truth, and both are given", "Give one of them")
    if not given:
        return None
    value = row.fields[given[0]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if kind is not AnswerKind.NUMBER:
            raise row.fault(given[0], "should be a string, not a number", 'Quote it, or set "kind" to "number"')
        value = repr(value)
    return known_answer(row, given[0], row.checked(given[0], value), kind, options)


def _made_id(task: Task) -> str:
    return f"task-{short_hash(task.question, task.context)}"
