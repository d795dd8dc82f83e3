"""What text is let in. Everything else may then trust it: names fit a file and a label, advice fits a prompt.

domain id   1-64 of a-z 0-9 . _ -, starting with a letter or digit
advice      1-8,000 characters after normalising; no NUL, no lone surrogate
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ace.errors import InvalidInput
from ace.models.insight import Delta
from ace.models.playbook import normalise

MAX_ADVICE_CHARS = 8_000
DOMAIN_PATTERN = "[a-z0-9][a-z0-9._-]{0,63}"
MAX_DEPTH = 32  # levels of a JSON value
MAX_NAME_SHOWN = 80  # characters of a caller's own name for a field that an error repeats
_DOMAIN = re.compile(DOMAIN_PATTERN)
_HALF = re.compile("[\ud800-\udfff\0]")


def check_domain(domain_id: str) -> str:
    """The domain id itself. Raises InvalidInput."""
    if not _DOMAIN.fullmatch(domain_id):
        remedy = "Use 1-64 of a-z, 0-9, '.', '_' and '-', starting with a letter or digit"
        raise InvalidInput("domain", f"{domain_id[:80]!r} is not a domain id", remedy)
    return domain_id


def check_text(field: str, text: str, limit: int = MAX_ADVICE_CHARS) -> str:
    """The text itself. Raises InvalidInput when it is empty, too long or not storable."""
    if not normalise(text):
        raise InvalidInput(field, "is empty", "Give it some words")
    if len(text) > limit:
        raise InvalidInput(field, f"has {len(text):,} characters, the limit is {limit:,}", "Shorten it")
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidInput(field, "holds a NUL or a lone surrogate", "Send valid text without them")
    return text


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that has been there before; None when there is none. Each name is looked at once."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def check_texts(value: Any, field: str, depth: int = 0) -> None:
    """Raises InvalidInput naming the first text in a JSON value that cannot be stored."""
    if depth > MAX_DEPTH:
        raise InvalidInput("body", "is nested too deeply", f"Nest at most {MAX_DEPTH} levels")
    if isinstance(value, str) and _HALF.search(value):
        raise InvalidInput(field, "holds a NUL or half a character (a lone surrogate)", "Send valid text")
    if isinstance(value, list):
        for number, item in enumerate(value):
            check_texts(item, f"{field}[{number}]", depth + 1)
    if isinstance(value, dict):
        for name, item in value.items():
            check_texts(name, "a field's name", depth + 1)
            check_texts(item, name[:MAX_NAME_SHOWN], depth + 1)


def check_delta(delta: Delta) -> Delta:
    """The delta itself. Raises InvalidInput naming the first field that cannot be used."""
    check_text("episode_id", delta.episode_id, 200)
    for number, insight in enumerate(delta.insights):
        check_text(f"insights[{number}].content", insight.content)
        if not 0.0 <= insight.confidence <= 1.0:
            raise InvalidInput(
                f"insights[{number}].confidence", f"is {insight.confidence}", "Give a number from 0 to 1"
            )
    return delta
