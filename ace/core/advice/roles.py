"""Who does what to whom: sentences in which two parts stand in a relation that must not be turned round.

    relation   first part       second part         patterns
    ORDER      what comes first what comes after    A before B · after A, B · A, then B · not B until A · B once A
    CHOICE     what is taken    what is left        A instead of B · A, not B · prefer A to B · never B; A
    RATIO      what is divided  by what             divide A by B · A over B · A / B
    MOVE       where from       where to            from A to B · to B from A
    MINUS      what is reduced  by what             subtract B from A · A minus B

Two texts agree when the parts of a relation of the one are nearer to the same parts of the other than to the
opposite ones. Parts are bags of stems; what both parts share says nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from ace.core.advice.marks import marks, marks_of
from ace.core.advice.wording import REMEMBERED, Role, Token, Wording

Tokens = Sequence[Token]

TURNED = -0.3  # from here down an orientation means: turned round
ALIGNED = 0.3  # from here up: the same way round

_OPENERS: tuple[list[str], ...] = (
    [],
    ["only"],
    ["just"],
    ["immediately"],
    ["right"],
    ["long"],
    ["so"],
    ["and"],
    ["then"],
)
_BINDING = frozenset(
    "before after until till once only_after instead_of then first second afterwards beforehand over divide divided"
    " subtract deduct minus only_if prefer convert less following".split()
)


class Kind(Enum):
    ORDER = "order"
    CHOICE = "choice"
    RATIO = "ratio"
    MOVE = "move"
    MINUS = "minus"


class Bond(NamedTuple):
    """One relation found in a text."""

    kind: Kind
    first: frozenset[str]
    second: frozenset[str]


@lru_cache(REMEMBERED)
def bonds(wording: Wording) -> tuple[Bond, ...]:
    """Every relation the patterns find, in no particular order."""
    found: list[Bond] = []
    before: Tokens = ()
    for sentence in sentences(wording):
        words = ["" if token.role == Role.NAME else token.text for token in sentence]
        for signs, pattern in _PATTERNS:
            if not signs or not signs.isdisjoint(words):
                for kind, first, second in pattern(words, sentence, before):
                    found += _bond(kind, first, second)
        before = sentence
    return tuple(found)


def orientation(left: Wording, right: Wording) -> float:
    """-2 (some relation is turned round) .. 0 (none in common) .. 2 (the same way round).

    For each kind of relation its clearest pair of bonds counts; a kind turned round outweighs the others.
    """
    clearest: dict[Kind, float] = {}
    ours, theirs = bonds(left), bonds(right)
    for bond in ours if theirs else ():
        for other in theirs:
            if bond.kind == other.kind:
                way = _way(bond, other)
                clearest[bond.kind] = max(clearest.get(bond.kind, 0.0), way, key=abs)
    ways = clearest.values()
    return min(ways, default=0.0) if any(way <= TURNED for way in ways) else max(ways, default=0.0)


def _way(one: Bond, other: Bond) -> float:
    same = _alike(one.first, other.first) + _alike(one.second, other.second)
    return same - _alike(one.first, other.second) - _alike(one.second, other.first)


def sentences(wording: Wording) -> Iterator[Tokens]:
    """The tokens between full stops, semicolons, colons and the like."""
    sentence: list[Token] = []
    for token in wording.tokens:
        if token.role == Role.STOP and token.text in ".;:!?":
            if sentence:
                yield sentence
            sentence = []
        else:
            sentence.append(token)
    if sentence:
        yield sentence


def _bond(kind: Kind, first: Tokens, second: Tokens) -> list[Bond]:
    one, other = _stems(first), _stems(second)
    shared = one & other
    return [Bond(kind, one - shared, other - shared)] if one - shared and other - shared else []


def _stems(tokens: Tokens) -> frozenset[str]:
    wanted = (Role.CONTENT, Role.NAME, Role.NUMBER)
    return frozenset(token.stem for token in tokens if token.role in wanted and token.text not in _BINDING)


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of stems with kin on the other side, both sides counted alike: 0 .. 1."""
    if not one or not other:
        return 0.0
    return (_known(one, other) / len(one) + _known(other, one) / len(other)) / 2


def _known(words: frozenset[str], others: frozenset[str]) -> int:
    there = marks_of(others)
    return sum(not marks(word).isdisjoint(there) for word in words)


Found = Iterator[tuple[Kind, Tokens, Tokens]]
Pattern = Callable[[list[str], Tokens, Tokens], Found]


def _at(words: list[str], *wanted: str, start: int = 0) -> int:
    """Where one of the words stands, from `start` on; -1 when nowhere."""
    found = [words.index(word, start) for word in wanted if word in words[start:]]
    return min(found, default=-1)


def _upto(tokens: Tokens, at: int) -> Tokens:
    """The tokens from `at` to the next comma."""
    end = next((place for place in range(at, len(tokens)) if tokens[place].text == ","), len(tokens))
    return tokens[at:end]


def _clauses(words: list[str], tokens: Tokens, at: int) -> tuple[Tokens, Tokens]:
    """The clause a conjunction at `at` opens, and the main one: `before A, B` and `B before A` both give (A, B)."""
    comma = _at(words, ",", start=at + 1)
    end = comma if comma > 0 else len(words)
    begin = max((place + 1 for place in range(at) if words[place] == ","), default=0)
    if begin < at and words[begin:at] not in _OPENERS:
        return tokens[at + 1 : end], tokens[begin:at]
    if begin:
        return tokens[at + 1 : end], tokens[: begin - 1]
    following = _at(words, ",", start=end + 1)
    return tokens[at + 1 : end], tokens[end + 1 : following if following > 0 else len(words)]


def _order(words: list[str], tokens: Tokens, _: Tokens) -> Found:
    for at, word in enumerate(words):
        if word not in ("before", "after", "only_after", "until", "till", "once"):
            continue
        if words[at : at + 2] in (["once", ","], ["once", "then"], ["once", "and"]):
            continue
        clause, main = _clauses(words, tokens, at)
        denied = any(token.role == Role.FLIP and token.text not in ("until", "till") for token in main)
        if (word in ("before", "until", "till")) != denied:
            yield Kind.ORDER, main, clause
        else:
            yield Kind.ORDER, clause, main


def _sequence(words: list[str], tokens: Tokens, before: Tokens) -> Found:
    at = _at(words, "then", "afterwards")
    if at == 0:
        yield Kind.ORDER, before, tokens[1:]
    elif at > 0:
        yield Kind.ORDER, tokens[:at] if _stems(tokens[:at]) else before, tokens[at + 1 :]
    first = _at(words, "first")
    second = _at(words, "second", "last", "later", "afterwards", start=first + 1)
    if 0 < first < second:
        yield Kind.ORDER, tokens[:first], tokens[first + 1 : second]


def _choice(words: list[str], tokens: Tokens, _: Tokens) -> Found:
    at = _at(words, "instead_of")
    if at >= 0:
        left, taken = _clauses(words, tokens, at)
        yield Kind.CHOICE, taken, left
    for at in range(1, len(words)):
        if _is_contrast(words, at):
            comma = _at(words, ",", start=at)
            yield Kind.CHOICE, tokens[:at], tokens[at + 1 : comma if comma > 0 else len(tokens)]


def _is_contrast(words: Sequence[str], at: int) -> bool:
    """`..., not B` and `... and never B`, where B is a thing, not an act."""
    if words[at] not in ("not", "never") or words[at - 1] not in (",", "and", "but"):
        return False
    return words[at + 1 : at + 2] not in (["do"], ["be"], ["is"], ["are"], ["have"], ["has"])


def _instead(words: list[str], tokens: Tokens, before: Tokens) -> Found:
    """`Avoid B; do A`, `Never B. A`."""
    opening = [token.text for token in before[:2]]
    if (opening[:1] in (["avoid"], ["never"]) or opening == ["do", "not"]) and words[0] not in ("avoid", "never", "do"):
        yield Kind.CHOICE, tokens, before


def _preference(words: list[str], tokens: Tokens, _: Tokens) -> Found:
    at = _at(words, "prefer", "favour", "favor", "prefers", "preferred", "beats", "outweighs")
    over = _at(words, "over", "to", start=at + 1)
    if 0 <= at < over:
        yield Kind.CHOICE, tokens[at + 1 : over], tokens[over + 1 :]


def _ratio(words: list[str], tokens: Tokens, _: Tokens) -> Found:
    at, by = _at(words, "divide", "divided", "dividing"), _at(words, "by")
    if 0 <= at < by:
        yield Kind.RATIO, tokens[at + 1 : by] if by > at + 1 else tokens[:at], _upto(tokens, by + 1)
    at = _at(words, "/", *([] if "prefer" in words else ["over"]))
    if at > 0:
        yield Kind.RATIO, tokens[:at], _upto(tokens, at + 1)


def _move(words: list[str], tokens: Tokens, _: Tokens) -> Found:
    source, target = _at(words, "from"), _at(words, "to", "into")
    if 0 <= source < target:
        yield Kind.MOVE, tokens[source + 1 : target], tokens[target + 1 : target + 4]
    elif 0 <= target < source:
        yield Kind.MOVE, tokens[source + 1 : source + 4], tokens[target + 1 : source]


def _minus(words: list[str], tokens: Tokens, _: Tokens) -> Found:
    at, whole = _at(words, "subtract", "deduct", "subtracted", "deducted"), _at(words, "from")
    if 0 <= at < whole:
        yield Kind.MINUS, _upto(tokens, whole + 1), tokens[at + 1 : whole]
    at = _at(words, "minus", "-", "less")
    if at > 0:
        yield Kind.MINUS, tokens[:at], _upto(tokens, at + 1)


_PATTERNS: tuple[tuple[frozenset[str], Pattern], ...] = (
    (frozenset("before after only_after until till once".split()), _order),
    (frozenset("then afterwards first".split()), _sequence),
    (frozenset("instead_of not never".split()), _choice),
    (frozenset(), _instead),
    (frozenset("prefer favour favor prefers preferred beats outweighs".split()), _preference),
    (frozenset("divide divided dividing / over".split()), _ratio),
    (frozenset(["from"]), _move),
    (frozenset("subtract deduct subtracted deducted minus - less".split()), _minus),
)
