"""The intervals agree with published worked examples and keep their laws."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.statistics import compare, moving_share, paired_difference, percentile, share, sign_test
from ace.models.run import Answered, Interval, PairRecord

COUNTS = st.integers(0, 400)


@st.composite
def trials(draw: st.DrawFn, least: int = 1) -> tuple[int, int]:
    n = draw(st.integers(least, 3000))
    return draw(st.integers(0, n)), n


@st.composite
def tables(draw: st.DrawFn) -> dict[str, int]:
    return {name: draw(COUNTS) for name in ("both", "wins", "losses", "neither")}


def width(interval: Interval) -> float:
    return interval.high - interval.low


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_wilsons_interval(successes: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, Stat Med 17:857, table I, method 3."""
    interval = share(successes, n)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(
    ("table", "value", "low", "high", "digits"),
    [
        # complete response before and after therapy (Cavo 2012), in Fagerland, Lydersen & Laake,
        # "Statistical Analysis of Contingency Tables" (2017), chapter 8
        pytest.param((59, 6, 16, 80), -0.0621, -0.1186, -0.0046, 4, id="cavo-2012"),
        # airway hyper-responsiveness before and after transplantation (Bentur 2009), in Fagerland, Lydersen
        # & Laake, Stat Med 2014;33:2850
        pytest.param((1, 1, 7, 12), -0.286, -0.507, -0.026, 3, id="bentur-2009"),
    ],
)
def test_a_paired_difference_has_newcombes_interval(
    table: tuple[int, int, int, int], value: float, low: float, high: float, digits: int
) -> None:
    """Newcombe's square-and-add interval as computed in the textbook and review named beside each case."""
    both, wins, losses, neither = table
    found = paired_difference(both=both, wins=wins, losses=losses, neither=neither)
    rounded = tuple(round(figure, digits) for figure in (found.value, found.low, found.high))
    assert rounded == (value, low, high)
    assert found.n == sum(table)


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        pytest.param(6, 16, 0.052479, id="cavo-2012"),  # Fagerland, Lydersen & Laake 2017, chapter 8
        pytest.param(1, 7, 0.0703, id="bentur-2009"),  # Fagerland, Lydersen & Laake 2013, BMC Med Res Meth 13:91
        pytest.param(0, 0, 1.0, id="nothing-changed"),
        pytest.param(5, 5, 1.0, id="even"),
        pytest.param(5, 0, 2 / 32, id="five-heads"),
    ],
)
def test_the_sign_test_is_exact(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p, abs=5e-5)


@given(trials())
def test_a_share_lies_in_its_interval_and_the_interval_between_0_and_1(trial: tuple[int, int]) -> None:
    interval = share(*trial)
    assert 0.0 <= interval.low <= interval.value <= interval.high <= 1.0


@given(trials(), st.integers(2, 20))
def test_the_same_share_of_more_trials_is_surer(trial: tuple[int, int], times: int) -> None:
    successes, n = trial
    assert width(share(successes * times, n * times)) < width(share(successes, n))


@given(trials())
def test_counting_failures_mirrors_counting_successes(trial: tuple[int, int]) -> None:
    successes, n = trial
    right, wrong = share(successes, n), share(n - successes, n)
    assert right.low == pytest.approx(1 - wrong.high, abs=1e-12)
    assert right.high == pytest.approx(1 - wrong.low, abs=1e-12)


@given(tables())
def test_a_difference_lies_in_its_interval_and_the_interval_between_minus_1_and_1(table: dict[str, int]) -> None:
    interval = paired_difference(**table)
    assert -1.0 <= interval.low <= interval.value <= interval.high <= 1.0


@given(tables())
def test_swapping_the_arms_changes_the_sign_alone(table: dict[str, int]) -> None:
    there = paired_difference(**table)
    back = paired_difference(**{**table, "wins": table["losses"], "losses": table["wins"]})
    assert there.low == pytest.approx(-back.high, abs=1e-12)
    assert there.value == pytest.approx(-back.value, abs=1e-12)


@given(tables(), st.integers(2, 20))
def test_the_same_table_of_more_pairs_is_surer(table: dict[str, int], times: int) -> None:
    more = {name: count * times for name, count in table.items()}
    assert width(paired_difference(**more)) <= width(paired_difference(**table)) + 1e-12


@given(st.integers(1, 300))
def test_arms_that_always_agree_differ_less_surely_than_zero_alone(n: int) -> None:
    """No task changed: the difference is 0, and fewer tasks say so less firmly."""
    interval = paired_difference(both=n, wins=0, losses=0, neither=n)
    assert interval.value == 0.0
    assert interval.low < 0.0 < interval.high


@given(COUNTS, COUNTS)
def test_a_p_value_is_symmetric_and_within_0_and_1(wins: int, losses: int) -> None:
    assert 0.0 < sign_test(wins, losses) <= 1.0
    assert sign_test(wins, losses) == sign_test(losses, wins)


@given(COUNTS)
def test_a_more_lopsided_split_is_less_likely_by_chance(losses: int) -> None:
    assert sign_test(losses + 30, losses) < sign_test(losses + 10, losses)


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_p_value_is_the_binomial_tail_summed_by_hand(wins: int, losses: int) -> None:
    n, k = wins + losses, min(wins, losses)
    tail = sum(math.comb(n, i) for i in range(k + 1))
    assert sign_test(wins, losses) == pytest.approx(min(1.0, 2 * tail * 0.5**n), rel=1e-9)


def pair(without: bool | None, with_playbook: bool | None) -> PairRecord:
    arms = {
        "without": Answered(answer="", correct=without),
        "with_playbook": Answered(answer="", correct=with_playbook),
    }
    return PairRecord(task_id="t", question="", expected=None, **arms)


def test_a_comparison_counts_each_pair_once_and_leaves_out_the_unjudged() -> None:
    outcomes = [(True, True)] * 3 + [(False, True)] * 4 + [(True, False)] + [(False, False)] * 2
    pairs = [pair(*outcome) for outcome in [*outcomes, (None, True), (False, None)]]
    found = compare(pairs)
    assert (found.wins, found.losses) == (4, 1)
    assert found.without == share(4, 10)
    assert found.with_playbook == share(7, 10)
    assert found.difference == paired_difference(both=3, wins=4, losses=1, neither=2)


def test_comparing_nothing_claims_nothing() -> None:
    found = compare([])
    assert found.without == found.with_playbook == Interval(value=0.0, low=0.0, high=1.0, n=0)
    assert found.difference == Interval(value=0.0, low=-1.0, high=1.0, n=0)


@given(st.lists(st.one_of(st.none(), st.booleans()), max_size=80), st.integers(1, 20))
def test_a_moving_share_is_the_share_of_the_last_known_outcomes(outcomes: list[bool | None], window: int) -> None:
    found = moving_share(outcomes, window)
    for end, interval in enumerate(found, start=1):
        known = [outcome for outcome in outcomes[:end] if outcome is not None][-window:]
        assert interval == share(sum(known), len(known))
    assert len(found) == len(outcomes)


@pytest.mark.parametrize(
    ("values", "q", "value"),
    [
        pytest.param([3.0], 0.95, 3.0, id="one-value"),
        pytest.param([4.0, 1.0, 3.0, 2.0], 0.5, 2.5, id="even-median"),
        pytest.param([1.0, 2.0, 3.0, 4.0], 0.25, 1.75, id="type-7"),
        pytest.param([float(i) for i in range(101)], 0.95, 95.0, id="p95"),
        pytest.param([1.0, 2.0], 1.0, 2.0, id="largest"),
    ],
)
def test_a_percentile_lies_between_the_closest_ranks(values: list[float], q: float, value: float) -> None:
    assert percentile(values, q) == pytest.approx(value)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 1), st.floats(0, 1))
def test_percentiles_rise_with_q_and_stay_within_the_values(values: list[float], p: float, q: float) -> None:
    low, high = sorted((p, q))
    slack = 1e-9 * max(abs(value) for value in values)
    assert min(values) - slack <= percentile(values, low) <= percentile(values, high) + slack
    assert percentile(values, high) <= max(values) + slack


@pytest.mark.parametrize(
    "wrong",
    [lambda: share(3, 2), lambda: share(-1, 2), lambda: percentile([], 0.5), lambda: percentile([1.0], 1.5),
     lambda: moving_share([True], 0)],
    ids=["more-successes-than-trials", "negative", "no-values", "q-above-1", "empty-window"],
)  # fmt: skip
def test_impossible_counts_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError):
        wrong()  # type: ignore[operator]
