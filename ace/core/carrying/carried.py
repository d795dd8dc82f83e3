"""A bullet on its way in, whatever it was written in.

What is carried in is advice, not evidence: it starts in SHADOW with no votes, whatever it was where it came from. What
it was there is told in its origin: the form and the file, the id and the heading it had, what had been counted.

heading                                                     section
the first word of HEADINGS that a word of it begins with    that word's
any other, or none                                          other
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ace.core.rendering import one_line
from ace.core.validation import check_text
from ace.models.foreign import Foreign
from ace.models.playbook import Origin, Section, SourceClass

MAX_TOLD = 200  # characters of an id, a heading, a file's name
MAX_DETAIL = 500  # characters of one detail
MAX_DETAILS = 24
MAX_PLACES = 8  # the first place and the latest ones

HEADINGS: tuple[tuple[str, Section], ...] = (  # ours, the paper's, and those of ace-framework
    ("mistake", Section.MISTAKE),
    ("pitfall", Section.MISTAKE),
    ("strateg", Section.STRATEGY),
    ("insight", Section.STRATEGY),
    ("heuristic", Section.STRATEGY),
    ("context", Section.STRATEGY),
    ("formula", Section.FORMULA),
    ("calculation", Section.FORMULA),
    ("example", Section.EXAMPLE),
    ("tool", Section.TOOL),
    ("code", Section.TOOL),
    ("api", Section.TOOL),
    ("harness", Section.TOOL),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """A bullet on its way: its advice, and where it was learned."""

    content: str
    section: Section = Section.STRATEGY
    origin: Origin = field(default_factory=lambda: Origin(source=SourceClass.IMPORT))

    @property
    def place(self) -> Foreign:
        """Where it comes from now."""
        return self.origin.foreign[-1]

    def out_of(self, file: str) -> Carried:
        """The same, known to come from this file."""
        place = replace(self.place, file=told(file) or "")
        return replace(self, origin=replace(self.origin, foreign=(*self.origin.foreign[:-1], place)))


def taken(where: str, content: str, place: Foreign, section: Section | None = None) -> Carried:
    """A bullet from this place, in the section its heading says. Raises InvalidInput naming `where`."""
    origin = Origin(source=SourceClass.IMPORT, foreign=(place,))
    return Carried(content=check_text(where, content), section=section or section_of(place.section), origin=origin)


def section_of(heading: str | None) -> Section:
    """By the table above."""
    words = (heading or "").casefold().replace("_", " ")
    return next((section for word, section in HEADINGS if re.search(rf"\b{word}", words)), Section.OTHER)


def told(value: Any, limit: int = MAX_TOLD) -> str | None:
    """A value of somebody else's as a line that can be kept and shown; None for nothing."""
    if value is None or isinstance(value, (dict, list)):
        return None
    text = value if isinstance(value, str) else str(value)
    return one_line(text.encode("utf-8", "replace").decode()).strip()[:limit] or None


def counted(value: Any) -> int | None:
    """A count of somebody else's, or None for what is none."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if is_count else None


def details(fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Those of these fields that hold something, as lines; lists as words with commas between, what is in a field by
    `field.name`."""
    found: dict[str, str] = {}
    for name, value in fields.items():
        for key, part in _parts(name, value):
            if line := told(part, MAX_DETAIL):
                found[told(key) or "?"] = line
    return tuple(list(found.items())[:MAX_DETAILS])


def places(earlier: Sequence[Foreign], latest: Foreign) -> tuple[Foreign, ...]:
    """Every place in turn; of a long way the first and the latest."""
    every = (*earlier, latest)
    return every if len(every) <= MAX_PLACES else (every[0], *every[-MAX_PLACES + 1 :])


def _parts(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"{name}.{key}", _joined(inner)) for key, inner in value.items()]
    return [(name, _joined(value))]


def _joined(value: Any) -> Any:
    return ", ".join(line for one in value if (line := told(one))) if isinstance(value, list) else value
