"""A first glance at two texts: word sets only, 30 µs a text and 10 µs a pair, to spare the others a closer look.

Two texts that share many words and yet bring many words the other has no kin for are about the same things, but say
something else of them: a low cosine for the overlap they have. Numbers, names, order and negation are not seen here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from ace.core.advice.marks import NOTHING, Marks, marks
from ace.core.advice.wording import REMEMBERED, is_grammar, stem

_WORD = re.compile(r"[a-z][\w.]*\w|\d[\d.,]*\d|\d")
_EMPTY: tuple[str, Marks] = ("", NOTHING)


class Glance(NamedTuple):
    """`strangers`: words of either text without kin in the other; `overlap`: words in common, of all (0 .. 1)."""

    strangers: int
    overlap: float


class Gist(NamedTuple):
    """A text's content words by stem, and everything they stand for."""

    words: dict[str, Marks]
    marks: Marks


def glance(left: str, right: str) -> Glance:
    """Compare two texts by their words. Symmetric."""
    ours, theirs = gist(left), gist(right)
    strangers = sum(own.isdisjoint(theirs.marks) for own in ours.words.values())
    strangers += sum(own.isdisjoint(ours.marks) for own in theirs.words.values())
    shared = len(ours.words.keys() & theirs.words.keys())
    return Glance(strangers, shared / max(1, len(ours.words) + len(theirs.words) - shared))


@lru_cache(REMEMBERED)
def gist(text: str) -> Gist:
    """A text's words, read without regard to order."""
    words = dict(map(_word, _WORD.findall(text.lower())))
    words.pop("", None)
    return Gist(words, NOTHING.union(*words.values()))


@lru_cache(65_536)
def _word(word: str) -> tuple[str, Marks]:
    if is_grammar(word):
        return _EMPTY
    base = stem(word)
    return base, marks(base)
