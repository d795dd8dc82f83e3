"""Figures and foreign text as a report prints them.

Text that a model or a task file wrote is hostile: what cannot be seen is made visible (`⟨U+202E⟩`), so that no
control or direction mark can hide or reorder what is read. Escaping for HTML is the template engine's work.
"""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

from ace.models.run import Interval

THIN = "\u202f"  # a narrow space that never breaks: a figure stays with its unit
SURE_ENOUGH_FOR_DECIMALS = 200  # tasks; below that a tenth of a percent means nothing
_DIRECTION_MARKS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN = {"Cc", "Cs"} - {"\n", "\t"}
_LONG_WORD = re.compile(r"[A-Za-z0-9]{25,}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def percent(share: float, n: int) -> str:
    """A share as people read it: `35 %`, `34.7 %` when it rests on enough tasks, `0.4 %` when it is small."""
    tenths = n >= SURE_ENOUGH_FOR_DECIMALS or 0 < share < 0.01
    return f"{100 * share:.{1 if tenths and share not in (0.0, 1.0) else 0}f}{THIN}%"


def interval_text(interval: Interval) -> str:
    """The 95 % interval of a share: `22 % to 51 %`."""
    return f"{percent(interval.low, interval.n)} to {percent(interval.high, interval.n)}"


def signed(difference: float, n: int) -> str:
    """A difference of shares in points, with its sign: `+33`, `−2.5`, `0`."""
    digits = 1 if n >= SURE_ENOUGH_FOR_DECIMALS else 0
    text = f"{100 * abs(difference):.{digits}f}"
    if float(text) == 0.0:
        return "0"
    return f"{'+' if difference > 0 else '−'}{text}"


def p_value(p: float) -> str:
    """`p = 0.012`, never a false zero."""
    return f"p{THIN}<{THIN}0.0001" if p < 0.0001 else f"p{THIN}={THIN}{p:.2g}"


def seconds(duration: float) -> str:
    """`640 ms`, `1.4 s`, `12 s`, `2 min 05 s`."""
    if duration < 0.9995:
        return f"{1000 * duration:.0f}{THIN}ms"
    if duration < 59.5:
        return f"{duration:.{1 if duration < 9.95 else 0}f}{THIN}s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes:,}{THIN}min {rest:02d}{THIN}s"


def money(usd: float) -> str:
    """`$12.34`, and enough digits for a fraction of a cent."""
    return f"${usd:,.2f}" if usd == 0 or usd >= 0.1 else f"${usd:.2g}" if usd >= 0.0001 else "< $0.0001"


def counted(n: int, noun: str) -> str:
    """`1 task`, `2,000 tasks`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def shortened(text: str, limit: int) -> str:
    """The text made visible, or its beginning and how long it was."""
    shown = visible(text[:limit])
    if len(text) <= limit and len(shown) <= limit:
        return shown
    return f"{shown[:limit].rstrip()} … ({len(text):,} characters)"


def visible(text: str) -> str:
    """The text with everything unseen but line breaks and tabs spelt out: controls, direction marks, surrogates."""
    return "".join(f"⟨U+{ord(char):04X}⟩" if _is_unseen(char) else char for char in text)


def _is_unseen(char: str) -> bool:
    if char in "\n\t":
        return False
    return char in _DIRECTION_MARKS or unicodedata.category(char) in _UNSEEN


def soft(text: str) -> Markup:
    """The text, escaped, with places where a long CamelCaseName may break over the line."""
    shown = visible(text)
    parts: list[str] = []
    end = 0
    for word in _LONG_WORD.finditer(shown):
        parts += [escape(shown[end : word.start()]), "<wbr>".join(_HUMP.split(word[0]))]
        end = word.end()
    return Markup("".join([*parts, escape(shown[end:])]))
