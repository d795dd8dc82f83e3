"""Bullets as Markdown: what people, agents and most tools read. Lists under headings, one item a bullet.

    ## Strategies

    - [strategy-k3j5x7q2ab] Check the units of every number. (stage=prod, helpful=3, harmful=0)

Read is any Markdown: a heading is a section, a list item is a bullet, with the lines that go on with it. Prose, code,
tables and comments are passed over. An id and counters, where an item has them, are those of this project or of
ace-framework.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from ace.core.carrying.carried import Carried, counted, details, taken, told
from ace.core.carrying.spelling import escaped, unescaped
from ace.models.foreign import Foreign
from ace.models.playbook import Bullet, Section

HEADINGS: Mapping[Section, str] = {
    Section.STRATEGY: "Strategies",
    Section.FORMULA: "Formulas",
    Section.EXAMPLE: "Examples",
    Section.MISTAKE: "Mistakes to avoid",
    Section.TOOL: "Tools",
    Section.OTHER: "Other",
}

_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(?P<title>.*?)[ \t]*#*[ \t]*")
_ITEM = re.compile(r"(?P<indent>[ \t]*)(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?(?P<text>\S.*)")
_RULE = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_COMMENT = re.compile(r"(?<!\\)<!--.*?-->", re.S)
_ID = re.compile(r"\[(?P<id>[^\]\s]+-(?:\d{5,}|[a-z2-7]{10}))\](?:\s+|$)")
_COUNTS = re.compile(
    r"(?<!\\)\((?:stage=(?P<stage>\w+), )?helpful=(?P<helpful>\d+), harmful=(?P<harmful>\d+)"
    r"(?:, neutral=(?P<neutral>\d+))?\)$"
)


@dataclass(slots=True)
class Item:
    """A list item as it was written: its heading, its lines."""

    number: int
    heading: str
    lines: list[str] = field(default_factory=list)


def to_markdown(domain_id: str, position: int, bullets: Iterable[Bullet]) -> str:
    """A page for people that can be read back."""
    return "\n".join([f"# Playbook {domain_id}, as of position {position}", "", *sections(bullets, counts=True)])


def sections(bullets: Iterable[Bullet], *, level: str = "##", counts: bool = False) -> list[str]:
    """Lines: a heading and a list for each section that has bullets, in the order given within."""
    order = list(Section)
    lines: list[str] = []
    for section, members in groupby(sorted(bullets, key=lambda one: order.index(one.section)), lambda one: one.section):
        lines += [f"{level} {HEADINGS[section]}", "", *(item(one, counts=counts) for one in members), ""]
    return lines


def item(bullet: Bullet, *, counts: bool = False) -> str:
    """A bullet as a list item."""
    shown = f" (stage={bullet.stage.value}, helpful={bullet.helpful_count}, harmful={bullet.harmful_count})"
    return f"- [{bullet.id}] {escaped(bullet.content)}{shown if counts else ''}"


def from_markdown(text: str) -> list[Carried]:
    """Every list item. Raises InvalidInput for one that cannot be used."""
    return [from_item(one, "markdown") for one in items(text)]


def from_item(one: Item, form: str, *, as_is: bool = False, **more: str | None) -> Carried:
    """A bullet from this item; `as_is` where backslashes were no escapes. `more` is told of it."""
    words = " ".join(one.lines)
    named = _ID.match(words)
    counts = _COUNTS.search(words, named.end() if named else 0)
    content = words[named.end() if named else 0 : counts.start() if counts else None].strip()
    found = counts.groupdict() if counts else {}
    known = details({**more, "stage": found.get("stage"), "neutral": found.get("neutral")})
    place = Foreign(format=form, id=told(named["id"]) if named else None, section=told(unescaped(one.heading)),
                    helpful=_count(found, "helpful"), harmful=_count(found, "harmful"), details=known)  # fmt: skip
    return taken(f"line {one.number}", content if as_is else unescaped(content), place)


def items(text: str) -> Iterator[Item]:
    """The list items outside of code and comments, those within others too, each by itself."""
    heading, fence, current = "", "", None
    for number, line in enumerate(_uncommented(text).split("\n"), start=1):
        opened, bare = _FENCE.match(line), line.rstrip()
        if fence or opened:
            fence = _fenced(fence, opened)
            continue
        found = None if _RULE.fullmatch(bare) else _ITEM.fullmatch(bare)
        title = _HEADING.fullmatch(bare)
        if current and not (found or title) and _goes_on(current, number, bare):
            current.lines += [bare.strip()] if bare else []
            continue
        if current:
            yield current
        heading = title["title"] if title else heading
        current = Item(number, heading, [found["text"]]) if found else None
    if current:
        yield current


def _goes_on(current: Item, number: int, line: str) -> bool:
    """Does a line that begins nothing belong to the item? One that is not indented does right behind it alone."""
    follows = number == current.number + len(current.lines)
    return not line or line[0] in " \t" or (follows and not _RULE.fullmatch(line) and not line.startswith("|"))


def _fenced(fence: str, found: re.Match[str] | None) -> str:
    """The fence that is open after this line; empty for none."""
    if not fence:
        return found[1] if found else ""
    closes = found is not None and found[1].startswith(fence)
    return "" if closes else fence


def _uncommented(text: str) -> str:
    """The text with comments gone and every line where it was."""
    return _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text.replace("\r\n", "\n"))


def _count(found: Mapping[str, str | None], name: str) -> int | None:
    value = found.get(name)
    return None if value is None else counted(int(value))
