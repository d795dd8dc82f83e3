"""Playbooks and skillbooks of the package `ace-framework` (kayba-ai/agentic-context-engine), by release.

release       file                          a bullet is                              is left behind
0.1 – 0.6     {"bullets": {id: …}}          content                                  –
0.7 – 0.9     {"skills": {id: …}}           content                                  status "invalid"
0.10 –        {"schema_version": "2", …}    issue, and insight where there is one    active false

Read too is what it prints for prompts and people: the TOON table of 0.4 – 0.9, the Markdown of all releases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ace.core.carrying.carried import Carried, counted, details, taken, told
from ace.core.carrying.markdown import Item, from_item, items
from ace.core.carrying.toon import is_table, rows
from ace.errors import InvalidInput
from ace.models.foreign import Foreign

FORM = "skillbook"
TOLD = ("neutral", "neutral_count", "used_count", "keywords", "justification", "evidence", "created_at", "updated_at")
_KEYS = re.compile(r"(?:Keywords: (?P<keywords>.*?))? ?Issue: (?P<issue>.*?)(?: Insight: (?P<insight>.*))?")


def from_skillbook(data: Any) -> list[Carried]:
    """Its bullets, or skills. Raises InvalidInput naming the first field that cannot be used."""
    kept = next((data[name] for name in ("skills", "bullets") if isinstance(data, Mapping) and name in data), None)
    if not isinstance(kept, Mapping):
        problem = "are missing: this is no playbook or skillbook of ace-framework"
        raise InvalidInput("skills", problem, "Give the file that save_to_file() wrote")
    found = (_skill(f"skills.{told(own)}", own, one) for own, one in kept.items())
    return [one for one in found if one is not None]


def from_printed(text: str) -> list[Carried]:
    """The same from what `as_prompt()` or `str()` gives."""
    if is_table(text):
        found = (_skill(f"line {number}", row.get("id"), row) for number, row in rows(text))
        return [one for one in found if one is not None]
    return [_printed(one) for one in items(text)]


def sources(one: Mapping[str, Any]) -> Iterator[str]:
    """The traces a skill was learned from."""
    for name in ("occurrences", "sources"):
        listed = one.get(name)
        for source in listed if isinstance(listed, list) else ():
            if isinstance(source, Mapping) and (trace := told(source.get("trace_uid") or source.get("sample_id"))):
                yield trace


def _skill(where: str, own: Any, one: Any) -> Carried | None:
    if not isinstance(one, Mapping):
        raise InvalidInput(where, "should be an object", "Give the file that save_to_file() wrote")
    if one.get("status") == "invalid" or one.get("active") is False:
        return None
    known = {name: one[name] for name in TOLD if name in one} | {"sources": list(sources(one))}
    place = Foreign(format=FORM, id=told(one.get("id") or own), section=told(one.get("section")),
                    helpful=_count(one, "helpful"), harmful=_count(one, "harmful"), details=details(known))  # fmt: skip
    return taken(f"{where}.content", _advice(where, one), place)


def _advice(where: str, one: Mapping[str, Any]) -> str:
    """Its content; of the later form the issue and what to do about it, in one sentence."""
    given = {name: one.get(name) for name in ("content", "issue", "insight")}
    content, issue, insight = (value.strip() if isinstance(value, str) else "" for value in given.values())
    if not (content or issue or insight):
        raise InvalidInput(f"{where}.content", "should be a string", "Give the file that save_to_file() wrote")
    different = issue and insight and issue != insight
    return content or (f"{issue.removesuffix('.')}: {insight}" if different else insight or issue)


def _printed(one: Item) -> Carried:
    """Markdown of any release; the latest has its fields on lines of their own under the id."""
    words = " ".join(one.lines[1:])
    if not (fields := _KEYS.fullmatch(words)):
        return from_item(one, FORM, as_is=True)
    advice = _advice(f"line {one.number}", fields.groupdict())
    return from_item(
        Item(one.number, one.heading, [one.lines[0], advice]), FORM, as_is=True, keywords=fields["keywords"]
    )


def _count(one: Mapping[str, Any], name: str) -> int | None:
    value = one.get(name, one.get(f"{name}_count"))
    return counted(int(value) if isinstance(value, str) and value.isdecimal() else value)
