"""Intervals one may look at after every task: what speaks against the truth is a martingale, and rarely misleads."""

from __future__ import annotations

import math
import random
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.always_valid import Count, difference, quantile_top, share, surprise

P = st.floats(0.01, 0.99)


@st.composite
def counts(draw: st.DrawFn, least: int = 0) -> Count:
    n = draw(st.integers(least, 400))
    return Count(draw(st.integers(0, n)), n)


@given(counts(), P)
def test_against_the_truth_the_next_task_adds_nothing_on_average(count: Count, p: float) -> None:
    now = surprise(count, p)
    hit, miss = (math.exp(surprise(Count(count.hits + more, count.n + 1), p) - now) for more in (1, 0))
    assert p * hit + (1 - p) * miss == pytest.approx(1.0, rel=1e-6)


@given(counts(), st.sampled_from([0.05, 0.01]))
def test_an_interval_ends_where_the_evidence_reaches_its_bar(count: Count, alpha: float) -> None:
    low, high = share(count, alpha)
    assert 0.0 <= low <= count.share <= high <= 1.0 or count.n == 0
    for edge in {low, high} - {0.0, 1.0}:
        assert surprise(count, edge) == pytest.approx(-math.log(alpha), abs=1e-4)


@given(counts(1), counts(1))
def test_a_difference_lies_in_its_interval_and_turns_with_its_arms(before: Count, after: Count) -> None:
    low, high = difference(before, after, 0.05)
    assert -1.0 <= low <= after.share - before.share <= high <= 1.0
    assert difference(after, before, 0.05) == pytest.approx((-high, -low), abs=1e-6)


@given(counts(1), counts(1), P)
def test_a_difference_of_nothing_is_left_out_only_when_every_common_share_is(a: Count, b: Count, p: float) -> None:
    low, high = difference(a, b, 0.05)
    if not low < 0.0 < high:
        assert surprise(a, p) + surprise(b, p) >= -math.log(0.05) - 1e-6


def test_nothing_is_known_of_nothing() -> None:
    assert share(Count(0, 0), 0.05) == (0.0, 1.0)
    assert difference(Count(0, 0), Count(9, 9), 0.05) == (-1.0, 1.0)
    assert quantile_top([], 0.95, 0.05) is None


@pytest.mark.parametrize(("tasks", "known"), [pytest.param(140, False, id="few"), pytest.param(197, True, id="enough")])
def test_how_many_tasks_it_takes_to_bound_a_p95(tasks: int, known: bool) -> None:
    assert (quantile_top([1.0] * tasks, 0.95, 0.05 / 6) is not None) is known


def test_whoever_looks_all_the_time_is_misled_at_most_as_often_as_it_says() -> None:
    """500 samples of 300 tasks, looked at after each: the share, and the quantile, are ever outside in at most 5 %."""
    drawn, runs, alpha = random.Random(11), 500, 0.05
    wrong_share = wrong_quantile = 0
    for _ in range(runs):
        hits = accumulate(drawn.random() < 0.75 for _ in range(300))
        wrong_share += any(surprise(Count(s, n), 0.75) >= -math.log(alpha) for n, s in enumerate(hits, 1))
        values = [drawn.random() for _ in range(300)]
        tops = [quantile_top(sorted(values[:n]), 0.9, alpha) for n in range(20, 301, 20)]
        wrong_quantile += any(top is not None and top < 0.9 for top in tops)
    assert wrong_share <= alpha * runs
    assert wrong_quantile <= alpha * runs
