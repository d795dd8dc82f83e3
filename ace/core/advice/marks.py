"""What a word stands for, as a set of marks: the lexicon, made fast to ask.

    mark       who carries it
    =17        the words of the 17th entry of SYNONYMS
    +17  -17   the words of the 17th opposition's first and second pole
    +stem      the word itself, and words that begin with the same six letters
    un-stem    the word with un-, in-, non- ... before it

Two words are kin when they share a mark. They are opposed when one carries `+x` where the other carries `-x` or
`un-x`, and they are not kin: where the lexicon has a pair on both kinds of line, the common meaning wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from ace.core.advice import lexicon
from ace.core.advice.wording import entries, stem

Marks = frozenset[str]
NOTHING: Marks = frozenset()
_NEGATING = ("un", "in", "im", "non", "dis", "ir", "de")
_SIGHT = 6  # letters by which two long words are taken for forms of one


@cache
def _table() -> dict[str, set[str]]:
    table: dict[str, set[str]] = {}
    for number, entry in enumerate(entries(lexicon.AXES)):
        for side, pole in zip("+-", entry.split(" / "), strict=True):
            for word in pole.split():
                table.setdefault(stem(word), set()).add(f"{side}{number}")
    for number, entry in enumerate(entries(lexicon.SYNONYMS)):
        for word in entry.split():
            table.setdefault(stem(word), set()).add(f"={number}")
    return table


@lru_cache(65_536)
def marks(word: str) -> Marks:
    """Everything a stem stands for."""
    found = {f"+{word}", *_table().get(word, ())}
    if len(word) >= _SIGHT and word.isalpha():
        found.add(f"+{word[:_SIGHT]}")
    return frozenset(found | {f"{prefix}-{base}" for prefix, base in _denied(word)})


@lru_cache(65_536)
def against(word: str) -> Marks:
    """The marks of what opposes a stem."""
    flipped = {"+": "-", "-": "+"}
    across = {flipped[mark[0]] + mark[1:] for mark in _table().get(word, ()) if mark[0] in flipped}
    across |= {f"{prefix}-{word}" for prefix in _NEGATING}
    return frozenset(across | {f"+{base}" for _, base in _denied(word)})


def _denied(word: str) -> Iterator[tuple[str, str]]:
    """What the word may deny: `unmatch` is un- and `match`."""
    for prefix in _NEGATING:
        if word.startswith(prefix) and len(word) >= len(prefix) + 4:
            yield prefix, word[len(prefix) :]


def marks_of(words: Iterable[str]) -> Marks:
    """What any of the stems stands for."""
    return NOTHING.union(*map(marks, words))


def kin(one: str, other: str) -> bool:
    """The two stems mean about the same."""
    return not marks(one).isdisjoint(marks(other))


def opposed(one: str, other: str) -> bool:
    """The two stems are opposites. Symmetric."""
    return not against(one).isdisjoint(marks(other)) and not kin(one, other)
