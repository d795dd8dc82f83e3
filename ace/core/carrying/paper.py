"""The paper's text format, as its code (github.com/ace-agent/ace) writes and reads it.

    ## STRATEGIES & INSIGHTS
    [str-00001] helpful=5 harmful=0 :: Check whether a charge is only pending.

Its AppWorld code writes no counters: `[shr-00001] Look the API up before you call it.`; both are read. A bullet there
may hold line breaks, so a line that is neither heading nor bullet goes on with the bullet before. Written are its own
seven headings, even where they are empty, for its Curator adds to the headings it finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ace.core.carrying.carried import Carried, counted, taken, told
from ace.core.carrying.markdown import Item
from ace.core.carrying.spelling import spelled, unspelled
from ace.errors import InvalidInput
from ace.models.foreign import Foreign
from ace.models.playbook import Bullet, Section

COUNTED = re.compile(r"\[(?P<id>[^\]]+)\]\s*helpful=(?P<helpful>\d+)\s*harmful=(?P<harmful>\d+)\s*::\s*(?P<text>.*)")
PLAIN = re.compile(r"\[(?P<id>[\w&-]+-\d+)\]\s+(?!helpful=)(?P<text>.+)")
HEADINGS: Mapping[str, Section | None] = {
    "STRATEGIES & INSIGHTS": Section.STRATEGY,
    "FORMULAS & CALCULATIONS": Section.FORMULA,
    "CODE SNIPPETS & TEMPLATES": Section.TOOL,
    "COMMON MISTAKES TO AVOID": Section.MISTAKE,
    "PROBLEM-SOLVING HEURISTICS": None,
    "CONTEXT CLUES & INDICATORS": None,
    "EXAMPLES": Section.EXAMPLE,  # ours
    "OTHERS": Section.OTHER,
}


def to_paper(bullets: Iterable[Bullet]) -> str:
    """Every bullet on a line of its own, with the counters of this playbook."""
    listed = sorted(bullets, key=lambda bullet: bullet.id)
    parts = []
    for heading, section in HEADINGS.items():
        lines = [_line(bullet) for bullet in listed if bullet.section is section]
        if lines or section is not Section.EXAMPLE:
            parts.append("\n".join([f"## {heading}", *lines]))
    return "\n\n".join(parts) + "\n"


def from_paper(text: str) -> list[Carried]:
    """Its bullets. Raises InvalidInput naming the first line that cannot be used."""
    return [_carried(one) for one in _items(text)]


def is_paper(text: str) -> bool:
    """Does any line look like a bullet of the paper's?"""
    return any(_bullet(line.strip()) for line in text.split("\n"))


def _line(bullet: Bullet) -> str:
    counts = f"helpful={bullet.helpful_count} harmful={bullet.harmful_count}"
    return f"[{bullet.id}] {counts} :: {spelled(bullet.content)}"


def _bullet(line: str) -> re.Match[str] | None:
    return COUNTED.fullmatch(line) or PLAIN.fullmatch(line)


def _items(text: str) -> Iterator[Item]:
    heading, current = "", None
    for number, line in enumerate((line.strip() for line in text.split("\n")), start=1):
        if line.startswith("##") or (line.startswith("#") and current is None):
            if current:
                yield current
            heading, current = line.lstrip("#").strip(), None
        elif _bullet(line):
            if current:
                yield current
            current = Item(number, heading, [line])
        elif line and current and "] helpful=" not in line:
            current.lines.append(line)
        elif line:
            remedy = "Write `## SECTION`, or `[id] helpful=0 harmful=0 :: text`"
            raise InvalidInput(f"line {number}", "is neither a heading nor a bullet", remedy)
    if current:
        yield current


def _carried(one: Item) -> Carried:
    found = _bullet(one.lines[0])
    if found is None:
        raise AssertionError("an item begins with a bullet")
    named = found.groupdict()
    helpful, harmful = (None if name not in named else counted(int(named[name])) for name in ("helpful", "harmful"))
    place = Foreign(format="paper", id=told(named["id"]), section=told(one.heading), helpful=helpful, harmful=harmful)
    return taken(f"line {one.number}", unspelled(" ".join([named["text"], *one.lines[1:]]).strip()), place)
