"""An e-value keeps its promise: whoever looks after every pair is misled at most as often as it says."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.evalues import MOST, e_bh, pairs_e_value, passing, wins_needed

COUNTS = st.integers(0, 30)  # far from where e-values are cut off
FAMILIES = st.lists(st.floats(0.0, 1000.0), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("bar", "wins"),
    [
        pytest.param(10, [5, 8, 11, 13, 15, 17], id="one-in-10"),
        pytest.param(20, [7, 10, 12, 14, 16, 18], id="one-in-20"),
    ],
)
def test_the_wins_needed_beside_0_to_5_losses(bar: float, wins: list[int]) -> None:
    assert [wins_needed(losses, bar) for losses in range(6)] == wins


@given(st.integers(0, 12), st.integers(0, 12))
def test_the_integers_are_the_integral(wins: int, losses: int) -> None:
    """2 theta^w (1-theta)^l 2^(w+l) over (1/2, 1], added up in strips."""
    strips, n = 4000, wins + losses
    middles = (0.5 + (i + 0.5) / (2 * strips) for i in range(strips))
    integral = sum(2 * theta**wins * (1 - theta) ** losses * 2.0**n for theta in middles) / (2 * strips)
    assert pairs_e_value(wins, losses) == pytest.approx(integral, rel=1e-4)


@given(COUNTS, COUNTS)
def test_with_no_effect_the_next_pair_changes_nothing_on_average(wins: int, losses: int) -> None:
    """A martingale: half the mean of a win and of a loss is where one stands."""
    ahead = (pairs_e_value(wins + 1, losses) + pairs_e_value(wins, losses + 1)) / 2
    assert ahead == pytest.approx(pairs_e_value(wins, losses), rel=1e-9)


@given(COUNTS, COUNTS, st.floats(0.0, 0.5))
def test_with_harm_the_evidence_for_good_shrinks_on_average(wins: int, losses: int, chance: float) -> None:
    win, loss = pairs_e_value(wins + 1, losses), pairs_e_value(wins, losses + 1)
    assert chance * win + (1 - chance) * loss <= pairs_e_value(wins, losses) * (1 + 1e-9)


@pytest.mark.parametrize("bar", [2.0, 3.0, 5.0])
def test_of_all_sequences_of_12_pairs_at_most_one_in_bar_ever_reaches_it(bar: float) -> None:
    """Ville's inequality, by counting all 4,096."""
    reached = sum(_highest(outcomes) >= bar for outcomes in product((True, False), repeat=12))
    assert reached / 2**12 <= 1 / bar


def _highest(outcomes: tuple[bool, ...]) -> float:
    best, wins = 1.0, 0
    for n, won in enumerate(outcomes, start=1):
        wins += won
        best = max(best, pairs_e_value(wins, n - wins))
    return best


@given(COUNTS, COUNTS)
def test_a_win_speaks_for_the_bullet_and_a_loss_against_it(wins: int, losses: int) -> None:
    here = pairs_e_value(wins, losses)
    assert pairs_e_value(wins, losses + 1) < here < pairs_e_value(wins + 1, losses)


@given(COUNTS, COUNTS)
def test_good_and_harm_together_are_the_evidence_against_a_fair_coin(wins: int, losses: int) -> None:
    """E(w, l) + E(l, w) = 2^(n+1) / ((n+1) C(n, w)): the two halves of the mixture over (0, 1)."""
    n = wins + losses
    whole = 2 ** (n + 1) / ((n + 1) * math.comb(n, wins))
    assert pairs_e_value(wins, losses) + pairs_e_value(losses, wins) == pytest.approx(whole, rel=1e-12)


def test_evidence_is_cut_off_and_never_infinite() -> None:
    assert pairs_e_value(5000, 0) == MOST


@given(FAMILIES, st.floats(0.01, 0.5))
def test_who_passes_e_bh_passes_its_closure(e_values: list[float], alpha: float) -> None:
    k = e_bh(e_values, alpha)
    bar = passing(e_values, alpha)
    assert k == 0 or (bar is not None and sum(value >= bar for value in e_values) >= k)


@given(st.lists(st.floats(0.0, 1000.0), min_size=1, max_size=7), st.floats(0.01, 0.5))
def test_no_set_of_bullets_speaks_against_those_that_pass(e_values: list[float], alpha: float) -> None:
    """The law itself, over all subsets: average of A >= |A and R| / (alpha |R|)."""
    bar = passing(e_values, alpha)
    chosen = [bar is not None and value >= bar for value in e_values]
    for mask in product((False, True), repeat=len(e_values)):
        members = [i for i, taken in enumerate(mask) if taken]
        if members and any(chosen):
            average = sum(e_values[i] for i in members) / len(members)
            assert average >= sum(chosen[i] for i in members) / (alpha * sum(chosen)) * (1 - 1e-9)


@given(FAMILIES, st.floats(0.01, 0.5), st.data())
def test_more_evidence_for_one_bullet_never_raises_the_bar_for_it(
    e_values: list[float], alpha: float, data: st.DataObject
) -> None:
    i = data.draw(st.integers(0, len(e_values) - 1))
    before, after = passing(e_values, alpha), passing([*e_values[:i], e_values[i] * 2, *e_values[i + 1 :]], alpha)
    if before is not None and e_values[i] >= before:
        assert after is not None
        assert e_values[i] * 2 >= after


@pytest.mark.parametrize(
    ("e_values", "alpha", "k"),
    [
        pytest.param([], 0.1, 0, id="nobody"),
        pytest.param([9.9], 0.1, 0, id="one-too-weak"),
        pytest.param([10.0], 0.1, 1, id="one-just-enough"),
        pytest.param([19.0, 1.0], 0.1, 0, id="two-tested-one-must-reach-20"),
        pytest.param([10.0, 10.0], 0.1, 2, id="two-carry-each-other"),
    ],
)
def test_e_bh_by_hand(e_values: list[float], alpha: float, k: int) -> None:
    assert e_bh(e_values, alpha) == k


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ValueError):
        pairs_e_value(-1, 0)
    with pytest.raises(ValueError):
        passing([1.0], 0.0)
