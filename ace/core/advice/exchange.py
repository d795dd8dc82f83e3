"""The same words in each other's place: `A to B` and `B to A`, `X for A and Y for B` and `Y for A and X for B`.

`A and B` for `B and A` is no exchange, nor is anything where the order of the two does not matter (sums, products).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from ace.core.advice.wording import REMEMBERED, Role, Token, Wording, stem

_ARTICLES = ("a", "an", "the")
_MEANING = (Role.CONTENT, Role.NAME)
_COUNTED = (Role.CONTENT, Role.NAME, Role.NUMBER)
_COMMUTING = frozenset(stem(word) for word in ("multiply", "product", "sum", "add", "between"))
_CLAUSE_OPENERS = frozenset(
    ". , ; : ! ? and or but so then when while if because since unless until instead_of only_if".split()
)


def exchanged(left: Wording, right: Wording) -> tuple[str, str] | None:
    """Two words that each follow, in the one text, what the other follows in the other text."""
    ours, theirs = _followed(left), _followed(right)
    common = [word for word in ours if word in theirs and ours[word] != theirs[word]]
    if len(common) < 2 or not _COMMUTING.isdisjoint(left.stems):
        return None
    for at, one in enumerate(common):
        for other in common[at + 1 :]:
            crossed = ours[one] == theirs[other] and ours[other] == theirs[one]
            if crossed and not (_coordinated(left, one, other) and _coordinated(right, one, other)):
                return one, other
    return None


def rebound(left: Wording, right: Wording) -> tuple[str, str] | None:
    """Words of two texts that consist of the same ones, in as many clauses, but in other company there."""
    if left.stems - right.stems or sorted(_counted(left)) != sorted(_counted(right)):
        return None
    ours, theirs = sorted(_clauses(left)), sorted(_clauses(right))
    if ours == theirs or len(ours) != len(theirs) or len(ours) < 2:
        return None
    moved = next(one for one, other in zip(ours, theirs, strict=True) if one != other)
    return " ".join(moved), " ".join(theirs[ours.index(moved)])


@lru_cache(REMEMBERED)
def _followed(text: Wording) -> dict[str, str]:
    """Each word that occurs once -> what stands in front of it, articles apart."""
    before, found, seen = "", dict[str, str](), set[str]()
    for token in text.tokens:
        if token.role in _MEANING:
            found[token.stem] = f"?{token.stem}" if token.stem in seen else before
            seen.add(token.stem)
        if token.text not in _ARTICLES:
            before = "" if token.role == Role.STOP else token.stem
    return found


def _coordinated(text: Wording, one: str, other: str) -> bool:
    """Only `and`, `or`, commas and articles stand between the two."""
    places = [at for at, token in enumerate(text.tokens) if token.stem in (one, other)]
    between = [token.text for token in text.tokens[places[0] + 1 : places[-1]]]
    return all(word in ("and", "or", ",", *_ARTICLES) for word in between) and ("and" in between or "or" in between)


def _counted(text: Wording) -> list[str]:
    return [token.stem for token in text.of(*_COUNTED)]


def _clauses(text: Wording) -> Iterator[tuple[str, ...]]:
    """The words of each clause, sorted; the two sides of an `X and Y` in alphabetical order."""
    clause: list[str] = []
    for token in _ordered([token for token in text.tokens if token.text not in _ARTICLES]):
        if token.text in _CLAUSE_OPENERS and clause:
            yield tuple(sorted(clause))
            clause = []
        elif token.role in _COUNTED:
            clause.append(token.stem)
    if clause:
        yield tuple(sorted(clause))


def _ordered(tokens: list[Token]) -> list[Token]:
    for at in range(1, len(tokens) - 1):
        one, joint, other = tokens[at - 1 : at + 2]
        if joint.text in ("and", "or") and {one.role, other.role} <= set(_MEANING) and one.stem > other.stem:
            tokens[at - 1], tokens[at + 1] = other, one
    return tokens
