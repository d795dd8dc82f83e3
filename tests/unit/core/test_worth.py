"""What a playbook is worth is a difference with an interval, and an e-value that may be looked at every day."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.worth import Comparison, unpaired_difference
from ace.models.evidence import Worth

COUNT = st.integers(1, 500)


def worth(outcomes: Iterable[tuple[bool, bool]], *, holdout: float) -> Worth:
    """From (held out, success) of each task, in order."""
    comparison = Comparison()
    for held_out, success in outcomes:
        comparison.add(held_out=held_out, holdout=holdout, success=success)
    return comparison.worth()


@pytest.mark.parametrize(
    ("right", "n", "other_right", "other_n", "low", "high"),
    [
        pytest.param(56, 70, 48, 80, 0.0524, 0.3339, id="56-of-70-and-48-of-80"),
        pytest.param(9, 10, 3, 10, 0.1705, 0.8090, id="9-of-10-and-3-of-10"),
        pytest.param(10, 10, 0, 10, 0.6075, 1.0, id="all-and-none"),
    ],
)
def test_the_interval_is_newcombes(right: int, n: int, other_right: int, other_n: int, low: float, high: float) -> None:
    """Newcombe 1998, Stat Med 17:873, table II, method 10."""
    found = unpaired_difference(right, n, other_right, other_n)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(COUNT, COUNT, st.data())
def test_the_difference_lies_in_its_interval(n: int, other_n: int, data: st.DataObject) -> None:
    right, other = data.draw(st.integers(0, n)), data.draw(st.integers(0, other_n))
    found = unpaired_difference(right, n, other, other_n)
    assert -1.0 <= found.low <= found.value <= found.high <= 1.0


def test_with_nothing_held_out_nothing_is_claimed() -> None:
    found = worth([(False, True)] * 50, holdout=0.0)
    assert (found.difference.low, found.difference.high, found.helps) == (-1.0, 1.0, 1.0)


def test_a_playbook_that_helps_shows_it() -> None:
    """Nine in ten right with it, five in ten without, a fifth held out."""
    outcomes = [(i % 5 == 0, i % 10 != 1 if i % 5 else i % 2 == 0) for i in range(2000)]
    found = worth(outcomes, holdout=0.2)
    assert found.difference.low > 0.2
    assert found.helps > 1000
    assert found.harms < 1
