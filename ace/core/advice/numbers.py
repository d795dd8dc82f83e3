"""Numbers of two texts, paired: 8 % is 0.08 and "eight percent", 3 weeks are 21 days, 30 seconds are not 30 minutes.

    one          other        equal because
    5 minutes    300 s        the same size in one dimension
    four times   4 quarters   the same number, and one dimension says little
    18 years     18           the same number, and one stands bare
    80 %         0.8          a share
    half         by 2         taking half is dividing by two

A number one side repeats or leaves out is no difference; only numbers without a partner on both sides are.
"""

from __future__ import annotations

from fractions import Fraction

from ace.core.advice.wording import Quantity, Wording

_LOOSE = (None, "times", "places", "ordinal")
Unmatched = tuple[tuple[Quantity, ...], tuple[Quantity, ...]]


def unmatched_numbers(left: Wording, right: Wording) -> Unmatched:
    """The numbers of each text that no number of the other one equals."""
    if not left.quantities or not right.quantities:
        return left.quantities, right.quantities
    ours = tuple(q for q in left.quantities if not any(_equal(q, other) for other in right.quantities))
    theirs = tuple(q for q in right.quantities if not any(_equal(q, other) for other in left.quantities))
    if all(q.spelled_small for q in ours + theirs) or _halves(ours, theirs):
        return (), ()
    return ours, theirs


def written(quantity: Quantity) -> str:
    """For people: `30 time`, `0.8 share`, `1250`."""
    number = str(quantity.number) if quantity.number.denominator == 1 else str(float(quantity.number))
    return f"{number} {quantity.dimension}" if quantity.dimension else number


def _equal(one: Quantity, other: Quantity) -> bool:
    if one.dimension == other.dimension:
        return one.size == other.size
    loose = one.dimension in _LOOSE or other.dimension in _LOOSE
    return (loose and one.number == other.number) or _as_share(one) == _as_share(other)


def _as_share(quantity: Quantity) -> Fraction | Quantity:
    """80 % is 0.8; anything but a share or a bare number equals only itself."""
    return quantity.size if quantity.dimension in (None, "share") else quantity


def _halves(left: tuple[Quantity, ...], right: tuple[Quantity, ...]) -> bool:
    return {q.number for q in left + right} == {Fraction(1, 2), Fraction(2)}
