"""A trial in live traffic is a fair bet while the bullet does nothing, and one liar cannot raise the outcome."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.trials import BETS, Stakes, Trial, after, e_value_of_all, e_values, gain, mixed

SHARES = st.floats(0.0, 1.0)
INSIDE = st.floats(0.01, 0.99)


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    return Trial(shown=draw(st.booleans()), probability=draw(INSIDE), success=draw(st.booleans()),
                 expected=draw(SHARES), weight=draw(SHARES))  # fmt: skip


def played(sequence: list[Trial]) -> Stakes:
    stakes = Stakes()
    for trial in sequence:
        stakes = after(stakes, trial)
    return stakes


def outcomes(probability: float, with_it: float, without: float, expected: float) -> list[tuple[float, Trial]]:
    """The four ways one episode can go, with their chances."""
    return [
        ((probability if shown else 1 - probability) * (rate if success else 1 - rate),
         Trial(shown=shown, probability=probability, success=success, expected=expected))
        for shown, rate in ((True, with_it), (False, without))
        for success in (True, False)
    ]  # fmt: skip


@given(st.lists(trials(), max_size=5), INSIDE, SHARES, SHARES)
def test_without_effect_the_fortune_stays_what_it_is_on_average(
    past: list[Trial], probability: float, rate: float, expected: float
) -> None:
    stakes = played(past)
    ahead = [(chance, after(stakes, trial)) for chance, trial in outcomes(probability, rate, rate, expected)]
    assert sum(chance * mixed(s.helpful) for chance, s in ahead) == pytest.approx(mixed(stakes.helpful), rel=1e-9)
    assert sum(chance * mixed(s.harmful) for chance, s in ahead) == pytest.approx(mixed(stakes.harmful), rel=1e-9)


@given(INSIDE, SHARES, SHARES, SHARES)
def test_a_gain_is_on_average_the_effect_scaled(
    probability: float, with_it: float, without: float, expected: float
) -> None:
    mean = sum(chance * gain(trial) for chance, trial in outcomes(probability, with_it, without, expected))
    assert mean == pytest.approx(probability * (1 - probability) * (with_it - without), abs=1e-12)


@given(st.lists(trials(), max_size=20))
def test_a_fortune_is_never_negative_and_good_mirrors_harm(sequence: list[Trial]) -> None:
    mirrored = [Trial(shown=t.shown, probability=t.probability, success=not t.success, expected=1 - t.expected,
                      weight=t.weight) for t in sequence]  # fmt: skip
    helpful, harmful = e_value_of_all([played(sequence)])
    assert helpful >= 0.0
    assert e_value_of_all([played(mirrored)]) == (pytest.approx(harmful), pytest.approx(helpful))


@given(st.lists(trials(), min_size=1, max_size=12), st.lists(trials(), max_size=12))
def test_whatever_a_liar_reports_the_evidence_is_at_most_what_the_others_give(
    honest: list[Trial], lies: list[Trial]
) -> None:
    alone = e_value_of_all([played(honest)])
    together = e_values([played(honest), played(lies)])
    assert together[0] <= alone[0] * (1 + 1e-9)
    assert together[1] <= alone[1] * (1 + 1e-9)


def test_one_principal_alone_is_no_evidence() -> None:
    always = Trial(shown=True, probability=0.5, success=True)
    assert e_values([played([always] * 100)]) == (1.0, 1.0)


def test_a_bullet_that_is_always_shown_teaches_nothing() -> None:
    stakes = after(Stakes(), Trial(shown=True, probability=1.0, success=False))
    assert stakes == Stakes(trials=1)
    assert len(stakes.helpful) == len(BETS)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(Trial(shown=True, probability=0.0, success=True), id="shown-with-chance-0"),
        pytest.param(Trial(shown=False, probability=1.0, success=True), id="withheld-with-chance-1"),
        pytest.param(Trial(shown=True, probability=1.5, success=True), id="chance-above-1"),
        pytest.param(Trial(shown=True, probability=0.5, success=True, weight=2.0), id="weight-above-1"),
    ],
)
def test_a_draw_that_could_not_be_is_refused(wrong: Trial) -> None:
    with pytest.raises(ValueError):
        gain(wrong)
