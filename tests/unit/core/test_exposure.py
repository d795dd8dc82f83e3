"""Draws are the same for whoever makes them again, and come out in the shares asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.exposure import Exposure, Shares, chance, draw, expose, held_out
from ace.models.playbook import Bullet, PlaybookStage, Traffic

SHARES = Shares(salt="s")
MANY = 20_000


def bullet(stage: PlaybookStage) -> Bullet:
    return Bullet(id=f"b-{stage}", domain_id="d", content="x", stage=stage)


@pytest.mark.parametrize(
    ("traffic", "stage", "share"),
    [
        pytest.param("production", "prod", 0.95, id="prod-less-dropout"),
        pytest.param("production", "staging", 0.10, id="canary"),
        pytest.param("production", "shadow", 0.0, id="shadow-is-never-shown-in-production"),
        pytest.param("production", "quarantined", 0.0, id="quarantined"),
        pytest.param("staging", "shadow", 0.0, id="nor-in-staging"),
        pytest.param("shadow", "shadow", 0.50, id="trial"),
        pytest.param("shadow", "staging", 0.50, id="trial-in-staging"),
        pytest.param("shadow", "prod", 0.95, id="prod-in-trials"),
        pytest.param("shadow", "quarantined", 0.0, id="quarantined-nowhere"),
    ],
)
def test_the_table_and_its_draws(traffic: str, stage: str, share: float) -> None:
    known = bullet(PlaybookStage(stage))
    assert chance(known.stage, Traffic(traffic), SHARES) == pytest.approx(share)
    drawn = [expose(f"t{i}", [known], Traffic(traffic), SHARES) for i in range(MANY)]
    open_to_it = [one for one in drawn if not one.held_out]
    assert sum(len(one.shown) for one in open_to_it) / len(open_to_it) == pytest.approx(share, abs=0.015)


def test_a_small_share_of_production_sees_no_playbook_and_learning_always_may() -> None:
    units = [f"t{i}" for i in range(MANY)]
    assert sum(held_out(unit, Traffic.PRODUCTION, SHARES) for unit in units) / MANY == pytest.approx(0.02, abs=0.004)
    assert not any(held_out(unit, Traffic.SHADOW, SHARES) for unit in units)
    unlucky = next(unit for unit in units if held_out(unit, Traffic.PRODUCTION, SHARES))
    assert expose(unlucky, [bullet(PlaybookStage.PROD)], Traffic.PRODUCTION, SHARES) == Exposure(held_out=True)


@given(st.text(), st.text(), st.text())
def test_a_draw_is_a_function_of_its_three_parts(unit: str, name: str, salt: str) -> None:
    try:
        first = draw(unit, name, salt)
    except UnicodeEncodeError:  # lone surrogates never get this far
        return
    assert 0.0 <= first < 1.0
    assert draw(unit, name, salt) == first


def test_draws_for_two_bullets_or_salts_are_independent() -> None:
    """All four combinations come up, each a quarter of the time."""
    pairs = [(draw(f"t{i}", "a", "s") < 0.5, draw(f"t{i}", "b", "s") < 0.5) for i in range(MANY)]
    salts = [(draw(f"t{i}", "a", "s") < 0.5, draw(f"t{i}", "a", "r") < 0.5) for i in range(MANY)]
    for drawn in (pairs, salts):
        for combination in ((True, True), (True, False), (False, True), (False, False)):
            assert drawn.count(combination) / MANY == pytest.approx(0.25, abs=0.015)


@given(st.lists(st.sampled_from(PlaybookStage), max_size=4, unique=True), st.sampled_from(Traffic), st.integers())
def test_what_could_be_shown_is_shown_or_withheld_with_its_chance(
    stages: list[PlaybookStage], traffic: Traffic, unit: int
) -> None:
    exposure = expose(str(unit), [bullet(stage) for stage in stages], traffic, SHARES)
    told = {one.bullet_id: one.probability for one in (*exposure.shown, *exposure.withheld)}
    possible = {f"b-{stage}": chance(stage, traffic, SHARES) for stage in stages}
    expected = {name: share for name, share in possible.items() if share > 0.0}
    assert told == ({} if exposure.held_out else expected)


def test_a_share_outside_0_and_1_is_refused() -> None:
    with pytest.raises(ValueError):
        Shares(dropout=1.5)
