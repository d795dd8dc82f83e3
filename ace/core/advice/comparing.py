"""What sets two texts apart, found by rules: each finding has a kind and the words it rests on.

    kind       left / right                                       found by
    NUMBER     8 % / 10 %                                         numbers without a partner on both sides
    UNIT       30 seconds / 30 milliseconds                       the same, where only the unit differs
    NAME       UTF-8 / Latin-1                                    names without a partner on both sides
    SWAP       euros to dollars / dollars to euros                a relation turned round, words or clauses exchanged
    OPPOSITE   always / never, at least / at most, before / after words across an opposition, negations, bounds

Rewordings change words, order and negations too ("never above" is "at most"). So a difference is certain only where
the texts are otherwise alike; elsewhere the findings are evidence, to be weighed (`similarity`).
"""

from __future__ import annotations

from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple

from ace.core.advice.exchange import exchanged, rebound
from ace.core.advice.marks import against, kin, marks, marks_of
from ace.core.advice.names import missing_names
from ace.core.advice.numbers import unmatched_numbers, written
from ace.core.advice.roles import ALIGNED, TURNED, orientation
from ace.core.advice.turns import negations, turns
from ace.core.advice.wording import Quantity, Role, Token, Wording

EDITED = 0.66  # from here up, tokens in common in the same order, one text is an edit of the other; below, a rewording


_LEADING = frozenset("to from into and or before after only_after until only_if if unless even_if instead_of".split())


class Kind(StrEnum):
    NUMBER = "number"
    UNIT = "unit"
    NAME = "name"
    SWAP = "swap"
    OPPOSITE = "opposite"


class Difference(NamedTuple):
    """One thing that sets two texts apart, and the words that show it."""

    kind: Kind
    left: str
    right: str


class Findings(NamedTuple):
    """Everything the rules see in a pair of texts."""

    in_order: float  # tokens in common in the same order, of all: 0 .. 1
    news: tuple[int, int]  # content words without kin or opposite on the other side
    opposed: tuple[tuple[str, str], ...]  # words across an opposition
    turns: int  # how often one statement is turned round to give the other: an odd number opposes
    negated: bool  # one side has more negations
    orientation: float  # of relations such as before/after, from/to: -2 (turned round) .. 2, see `roles`
    exchanged: tuple[str, str] | None  # two words that stand in each other's place

    @property
    def edited(self) -> bool:
        """One text is an edit of the other, and no rewording."""
        return self.in_order >= EDITED

    @property
    def odd(self) -> bool:
        return self.turns % 2 == 1


def compare(left: Wording, right: Wording) -> Findings:
    """Look at two texts with every rule. Symmetric but for the order of the sides."""
    only_left, only_right = _unshared(left, right), _unshared(right, left)
    opposed = _opposed(only_left, only_right)
    way = orientation(left, right)
    return Findings(
        in_order=SequenceMatcher(None, left.spoken, right.spoken, autojunk=False).ratio(),
        news=(_new(only_left, only_right), _new(only_right, only_left)),
        opposed=opposed,
        turns=turns(left, right, opposed, aligned=way >= ALIGNED),
        negated=negations(left) != negations(right),
        orientation=way,
        exchanged=exchanged(left, right) or rebound(left, right),
    )


def stated_difference(left: Wording, right: Wording) -> Difference | None:
    """Other numbers, units or names: a difference that needs no look at the sentences."""
    ours, theirs = unmatched_numbers(left, right)
    if ours and theirs:
        return _number_difference(ours, theirs)
    if not left.names or not right.names:
        return None
    names, others = missing_names(left, right), missing_names(right, left)
    return Difference(Kind.NAME, ", ".join(names), ", ".join(others)) if names and others else None


def certain_difference(found: Findings) -> Difference | None:
    """Turned round or opposed, where nothing else in the texts can make up for it."""
    if found.exchanged and not found.odd:
        return Difference(Kind.SWAP, *found.exchanged)
    if any(found.news):
        return None
    if found.orientation <= TURNED and not found.odd:
        return Difference(Kind.SWAP, "", "")
    if found.edited and (found.odd or (found.opposed and not found.negated)):
        one, other = found.opposed[0] if found.opposed else ("", "not")
        return Difference(Kind.OPPOSITE, one, other)
    return None


def says_the_same(left: Wording, right: Wording, found: Findings) -> bool:
    """Word for word: each has its kin in the other's place, nothing is turned, and no number or direction is gone."""
    if not found.edited or any(found.news) or found.opposed or found.turns or found.exchanged:
        return False
    ours, theirs = (text.of(Role.CONTENT, Role.NAME, Role.NUMBER) for text in (left, right))
    leading = [[token.text for token in text.tokens if token.text in _LEADING] for text in (left, right)]
    same = leading[0] == leading[1] and len(ours) == len(theirs)
    return same and all(_stands_for(one, other) for one, other in zip(ours, theirs, strict=True))


def _stands_for(one: Token, other: Token) -> bool:
    if one.role != Role.CONTENT or one.role != other.role:
        return one.stem == other.stem
    return kin(one.stem, other.stem)


def is_rival(left: Wording, right: Wording, stated: Difference) -> bool:
    """The one thing stated is all that is different: the same rule with another value."""
    found = compare(left, right)
    apart = [", " not in stated.left and ", " not in stated.right, found.edited, found.turns == 0]
    return all(apart) and max(found.news) <= (1 if stated.kind == Kind.NAME else 0)


def _number_difference(left: tuple[Quantity, ...], right: tuple[Quantity, ...]) -> Difference:
    kind = Kind.UNIT if {q.number for q in left} & {q.number for q in right} else Kind.NUMBER
    return Difference(kind, ", ".join(map(written, left)), ", ".join(map(written, right)))


def _unshared(text: Wording, other: Wording) -> list[Token]:
    words = (t for t in text.tokens if t.role in (Role.CONTENT, Role.LINK, Role.NAME) and t.stem not in other.stems)
    return list({token.stem: token for token in words}.values())


def _opposed(left: list[Token], right: list[Token]) -> tuple[tuple[str, str], ...]:
    """Pairs across an opposition of which neither word has kin among the other side's unshared words."""
    here, there = marks_of(t.stem for t in left), marks_of(t.stem for t in right)
    ours = [t.stem for t in left if marks(t.stem).isdisjoint(there) and not against(t.stem).isdisjoint(there)]
    theirs = [t.stem for t in right if marks(t.stem).isdisjoint(here) and not against(t.stem).isdisjoint(here)]
    return tuple((one, other) for one in ours for other in theirs if not against(one).isdisjoint(marks(other)))


def _new(words: list[Token], others: list[Token]) -> int:
    there = marks_of(token.stem for token in others)
    content = (token.stem for token in words if token.role in (Role.CONTENT, Role.NAME))
    return sum(marks(word).isdisjoint(there) and against(word).isdisjoint(there) for word in content)
