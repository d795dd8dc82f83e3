"""Foreign text as a page shows it. Whatever a model, an agent or a file wrote is hostile until it stands here.

told      escaped, kept apart from the text around it (<bdi>), what cannot be seen marked with its number and name
plain     the same without markup, for attributes and titles: what cannot be seen is spelt out
brief     the beginning of a text
forgiving the text as it is, for a field that is sent back
when      a moment, for people
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from itertools import groupby

from markupsafe import Markup, escape

MAX_BYTES = 20_000  # of one text on a page, as HTML: a page stays small whatever a bullet holds
BRIEF_CHARS = 280  # at 4 bytes each
PIECE = 500
NAME_CHARS = 60
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # needed between letters of some scripts, and inside emoji
_LONG_WORD = re.compile(r"\S{30}(?=\S)")
MINUTE, HOUR, DAY = 60, 3600, 86400


def is_unseen(char: str) -> bool:
    """Does the character leave no trace on the screen, or change how others are read?"""
    return char not in "\n\t" and char not in _JOINERS and unicodedata.category(char) in _UNSEEN


def told(text: object, most: int = MAX_BYTES) -> Markup:
    """The text as HTML of about `most` bytes at most; what was cut off is counted."""
    words, size, done = str(text), 0, 0
    parts: list[str] = []
    for unseen, run in groupby(words, key=is_unseen):
        chars = "".join(run)
        pieces = [_marked(char) for char in chars[:most]] if unseen else _pieces(chars)
        length = 1 if unseen else PIECE
        for number, piece in enumerate(pieces):
            if size >= most:
                return _closed(parts, len(words) - done - number * length)
            parts.append(piece)
            size += len(piece.encode(errors="replace"))
        done += len(chars)
    return _closed(parts, 0)


def _pieces(chars: str) -> list[str]:
    return [_breakable(chars[at : at + PIECE]) for at in range(0, len(chars), PIECE)]


def _breakable(chars: str) -> str:
    """Escaped; a word nobody can read in one line may break, or browsers take for ever to lay it out."""
    parts, end = [], 0
    for long in _LONG_WORD.finditer(chars):
        parts.append(escape(chars[end : long.end()]))
        end = long.end()
    return "<wbr>".join([*parts, escape(chars[end:])])


def _marked(char: str) -> str:
    name = unicodedata.name(char, "control character").lower()
    return f'<mark title="{name}">U+{ord(char):04X}</mark>'


def _closed(parts: list[str], left: int) -> Markup:
    rest = f'<span class="cut"> … {left:,} more characters</span>' if left > 0 else ""
    return Markup(f"<bdi>{''.join(parts)}</bdi>{rest}")


def plain(text: str, most: int = 2_000) -> str:
    """The text with what cannot be seen spelt out, and no more than its beginning."""
    cut = text[:most]
    shown = cut if cut.isprintable() else "".join(f"⟨U+{ord(one):04X}⟩" if is_unseen(one) else one for one in cut)
    return shown if len(text) <= most else f"{shown} …"


def short(name: str) -> str:
    """A name of somebody else's choice, as the text of a link."""
    return plain(name, NAME_CHARS)


def forgiving(text: str) -> Markup:
    """The very text, escaped and no more: for a field whose value is sent back."""
    return escape(text)


def brief(text: str, most: int = BRIEF_CHARS) -> Markup:
    """The beginning of a text, marked like all of it would be."""
    if len(text) <= most:
        return told(text, most * 4)
    return told(text[:most].rstrip() + "…", most * 4)


def moment(at: datetime | float | None) -> datetime | None:
    """A time however it is kept, in UTC."""
    if at is None or isinstance(at, datetime):
        return at
    return datetime.fromtimestamp(at, UTC)


def when(at: datetime | float | None, now: datetime) -> Markup:
    """`<time>` with how long ago it was; the exact time is its title."""
    found = moment(at)
    if found is None:
        return Markup("–")
    exact = found.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(found.isoformat(), exact, ago(found, now))


def ago(at: datetime, now: datetime) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `2 d ago`, then the date."""
    seconds = (now - at).total_seconds()
    if seconds < MINUTE:
        return "just now"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min ago"
    if seconds < DAY:
        return f"{int(seconds // HOUR)} h ago"
    if seconds < 14 * DAY:
        return f"{int(seconds // DAY)} d ago"
    return at.strftime("%Y-%m-%d")


def number(value: float) -> str:
    """`12,345`; `0.83`."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
