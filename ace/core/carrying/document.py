"""A playbook as a document, to be carried from one place to another.

form        written by            read by           keeps
json        to_document           from_document     id, text, section, stage, counters, origin, contradictions
text        render_playbook       from_text         text and section; the paper's format
markdown    to_markdown           people            text, section, stage, counters

What is carried in is advice, not evidence: it starts in SHADOW with no votes, whatever it was where it came from.
A bullet's id is made from domain and text, so in a domain of the same name it is the same id again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ace.core.rendering import one_line
from ace.core.validation import check_text
from ace.errors import InvalidInput
from ace.models.playbook import Bullet, Link, Origin, PlaybookStage, Section, SourceClass

FORMAT, VERSION = "ace-playbook", 1

_BULLET = re.compile(r"\[(?P<id>[^\]\s]+)\]\s+helpful=\d+\s+harmful=\d+\s+::\s+(?P<text>.+)")
_HEADINGS: tuple[tuple[str, Section], ...] = (  # the first word that occurs in a heading, ours and the paper's
    ("strateg", Section.STRATEGY),
    ("insight", Section.STRATEGY),
    ("heuristic", Section.STRATEGY),
    ("formula", Section.FORMULA),
    ("calculation", Section.FORMULA),
    ("example", Section.EXAMPLE),
    ("mistake", Section.MISTAKE),
    ("pitfall", Section.MISTAKE),
    ("tool", Section.TOOL),
    ("code", Section.TOOL),
    ("api", Section.TOOL),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """A bullet on its way: its advice, and where it was learned."""

    content: str
    section: Section = Section.STRATEGY
    origin: Origin = field(default_factory=lambda: Origin(source=SourceClass.IMPORT))


def to_document(domain_id: str, position: int, bullets: Sequence[Bullet], links: Iterable[Link]) -> dict[str, Any]:
    """JSON; the same playbook always gives the same document."""
    ids = {bullet.id for bullet in bullets}
    pairs = sorted([link.left, link.right] for link in links if {link.left, link.right} <= ids)
    listed = [bullet.to_json() for bullet in sorted(bullets, key=lambda bullet: bullet.id)]
    return {"format": FORMAT, "version": VERSION, "domain": domain_id, "position": position, "bullets": listed,
            "contradictions": pairs}  # fmt: skip


def from_document(data: Any) -> list[Carried]:
    """What the document carries; what was quarantined where it came from stays behind.

    Raises InvalidInput naming the first field that cannot be used.
    """
    listed = data.get("bullets") if isinstance(data, dict) else None
    if not isinstance(listed, list) or data.get("format", FORMAT) != FORMAT:
        raise InvalidInput("bullets", "are missing: this is no exported playbook", "Make one: ace playbook export")
    if data.get("version", VERSION) != VERSION:
        raise InvalidInput("version", f"is {data['version']!r}, this release reads {VERSION}", "Upgrade ACE")
    carried = (_from_json(f"bullets[{number}]", one) for number, one in enumerate(listed))
    return [one for one in carried if one is not None]


def from_text(text: str) -> list[Carried]:
    """What the paper's text format carries. Raises InvalidInput naming the first line that cannot be used."""
    return list(_from_lines(text.splitlines()))


def to_markdown(domain_id: str, position: int, bullets: Iterable[Bullet]) -> str:
    """A page for people."""
    parts = [f"# Playbook {domain_id}, as of position {position}"]
    ordered = sorted(bullets, key=lambda bullet: (list(Section).index(bullet.section), bullet.id))
    for section, members in groupby(ordered, key=lambda bullet: bullet.section):
        lines = [
            f"- {one_line(one.content)} (`{one.id}`, {one.stage.value}, +{one.helpful_count} −{one.harmful_count})"
            for one in members
        ]
        parts.append("\n".join([f"## {section.value.capitalize()}", "", *lines]))
    return "\n\n".join(parts) + "\n"


def _from_json(place: str, one: Any) -> Carried | None:
    if not isinstance(one, Mapping):
        raise InvalidInput(place, "should be an object", "")
    content = one.get("content")
    if not isinstance(content, str):
        raise InvalidInput(f"{place}.content", "should be a string", "")
    check_text(f"{place}.content", content)
    try:
        section = Section(one.get("section", Section.STRATEGY))
        quarantined = PlaybookStage(one.get("stage", PlaybookStage.SHADOW)) is PlaybookStage.QUARANTINED
        origin = Origin.from_json(one["origin"]) if one.get("origin") else Origin(source=SourceClass.IMPORT)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(place, f"cannot be used: {error}", "Export it again: ace playbook export") from error
    return None if quarantined else Carried(content=content, section=section, origin=origin)


def _from_lines(lines: Sequence[str]) -> Iterator[Carried]:
    section = Section.OTHER
    for number, line in enumerate((line.strip() for line in lines), start=1):
        if line.startswith("#"):
            section = _section(line)
        elif found := _BULLET.fullmatch(line):
            yield Carried(content=check_text(f"line {number}", found["text"]), section=section)
        elif line:
            remedy = "Write `## SECTION`, or `[id] helpful=0 harmful=0 :: text`, or export as json"
            raise InvalidInput(f"line {number}", "is neither a heading nor a bullet", remedy)


def _section(heading: str) -> Section:
    words = heading.casefold()
    return next((section for word, section in _HEADINGS if word in words), Section.OTHER)
