"""Bullets as an agent reads them: data, one line each, never able to pose as anything but a bullet.

    [strategy-k3j5x7q2ab] Check the units of every number before dividing.

Line breaks and control characters inside a bullet become spaces, so that a bullet cannot start a line of its own.
The paper's format, with counters and sections, is `render_playbook`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Protocol

from ace.models.playbook import Bullet

CHARS_PER_TOKEN = 4  # English text; the usual rule of thumb, on the safe side for bullets


def one_line(text: str) -> str:
    """The text with line breaks, control and direction-changing characters made spaces."""
    if text.isprintable():
        return text
    visible = "".join(" " if unicodedata.category(char) in UNSAFE else char for char in text)
    return " ".join(visible.split())


UNSAFE = frozenset({"Cc", "Cf", "Zl", "Zp"})


class Readable(Protocol):
    """A bullet, or what a client knows of one."""

    @property
    def id(self) -> str: ...

    @property
    def content(self) -> str: ...


def render_bullet(bullet: Readable) -> str:
    """One bullet as one line."""
    return f"[{bullet.id}] {one_line(bullet.content)}"


def render_context(bullets: Iterable[Readable]) -> str:
    """The bullets a task is shown, one a line, in the order given."""
    return "\n".join(render_bullet(bullet) for bullet in bullets)


def render_playbook(bullets: Iterable[Bullet]) -> str:
    """A whole playbook in the paper's text format: `[id] helpful=H harmful=R :: text` under section headings."""
    return "\n\n".join(f"## {section}\n{lines}" for section, lines in _sections(bullets))


def render_markdown(domain_id: str, bullets: Iterable[Bullet]) -> str:
    """The same for people and agents who read Markdown. A bullet begins with its id, so none can end the fence."""
    parts = [f"## {section}\n\n```text\n{lines}\n```\n" for section, lines in _sections(bullets)]
    return "\n".join([f"# Playbook of {domain_id}\n", *(parts or ["Nothing has been learned yet.\n"])])


def _sections(bullets: Iterable[Bullet]) -> Iterator[tuple[str, str]]:
    by_section = sorted(bullets, key=lambda bullet: (bullet.section, bullet.id))
    for section, members in groupby(by_section, key=lambda bullet: bullet.section):
        lines = (
            f"[{b.id}] helpful={b.helpful_count} harmful={b.harmful_count} :: {one_line(b.content)}" for b in members
        )
        yield section.value.upper(), "\n".join(lines)


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is for a language model: characters / 4, rounded up."""
    return -(-len(text) // CHARS_PER_TOKEN)
