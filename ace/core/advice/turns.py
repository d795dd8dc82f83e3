"""How often one statement is turned round to give another.

    what turns                            left                          right
    a negation more                       retry the call                do not retry the call
    words across an opposition            include one-time items        exclude one-time items
    a bound on the same number, reversed  at least three times          at most three times

Two turns restore: "not shorter than 12" is "12 or longer", "do not use eval unless" is "use eval only if".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

from ace.core.advice.wording import REMEMBERED, Role, Token, Wording, stem

_LOWER = frozenset("at_least more_than above over exceed exceeds exceeding beyond minimum".split())
_UPPER = frozenset("at_most less_than below under within maximum".split())
_COMPARING = frozenset(stem(word) for word in _LOWER | _UPPER)
_TIMING = frozenset(stem(word) for word in "before after only_after beforehand first last later then once".split())
_NEAR = 3  # tokens between a number and the word that bounds it


def turns(left: Wording, right: Wording, opposed: Sequence[tuple[str, str]], *, aligned: bool) -> int:
    """Count the turns. Where both texts order events alike (`aligned`), their before and after are no turn."""
    ours, theirs = dict(_bounds(left)), dict(_bounds(right))
    both = ours.keys() & theirs.keys()
    explained = (_TIMING if aligned else frozenset()) | (_COMPARING if both else frozenset())
    telling = [pair for pair in opposed if not (pair[0] in explained and pair[1] in explained)]
    return abs(negations(left) - negations(right)) + len(telling) + sum(ours[n] != theirs[n] for n in both)


@lru_cache(REMEMBERED)
def negations(text: Wording) -> int:
    """Words that turn a statement round, without the `not` of a choice (`A, not B`)."""
    return sum(token.role == Role.FLIP and not _chooses(text.tokens, at) for at, token in enumerate(text.tokens))


def _chooses(tokens: Sequence[Token], at: int) -> bool:
    before = tokens[at - 1].text if at else ""
    after = tokens[at + 1].text if at + 1 < len(tokens) else ""
    if tokens[at].text == "not":
        return before in (",", "and", "but") and bool(after) and after not in ("do", "be", "is", "are", "have", "has")
    return tokens[at].text == "no" and before == "or"


def _bounds(text: Wording) -> Iterator[tuple[Fraction, int]]:
    """Each bounded number with 1 (at least) or -1 (at most)."""
    for at, token in enumerate(text.tokens):
        if token.value is not None:
            before, behind = text.tokens[max(0, at - _NEAR) : at], text.tokens[at + 1 : at + 1 + _NEAR]
            if side := _bound(before[::-1], _LOWER, _UPPER) or _bound(behind, ("at_least",), ("at_most",)):
                yield token.value, side


def _bound(
    tokens: Sequence[Token], lower: Sequence[str] | frozenset[str], upper: Sequence[str] | frozenset[str]
) -> int:
    """1, -1 or 0 by the first telling word, up to punctuation or another number."""
    for token in tokens:
        if token.role in (Role.STOP, Role.NUMBER):
            return 0
        if token.text in lower or token.text in upper:
            return 1 if token.text in lower else -1
    return 0
