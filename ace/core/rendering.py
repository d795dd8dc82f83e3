"""Bullets as an agent reads them: data, one line each, never able to pose as anything but a bullet.

    [strategy-k3j5x7q2ab] Check the units of every number before dividing.

Line breaks and control characters inside a bullet become spaces, so that a bullet cannot start a line of its own.
The paper's format, with counters and sections, is `render_playbook`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
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
    by_section = sorted(bullets, key=lambda bullet: (bullet.section, bullet.id))
    parts = []
    for section, members in groupby(by_section, key=lambda bullet: bullet.section):
        lines = [
            f"[{b.id}] helpful={b.helpful_count} harmful={b.harmful_count} :: {one_line(b.content)}" for b in members
        ]
        parts.append("\n".join([f"## {section.value.upper()}", *lines]))
    return "\n\n".join(parts)


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is for a language model: characters / 4, rounded up."""
    return -(-len(text) // CHARS_PER_TOKEN)
