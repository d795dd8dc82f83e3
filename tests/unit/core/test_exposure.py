"""Draws are the same for whoever makes them again, and come out in the shares asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.exposure import Draws, Exposure, Shares, always, chance, choose, draw, expose
from ace.core.rendering import estimate_tokens, render_bullet
from ace.models.playbook import Bullet, PlaybookStage, ScoredBullet, Traffic

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
        pytest.param("staging", "staging", 0.95, id="staging-is-tried-in-staging"),
        pytest.param("production", "archived", 0.0, id="archived"),
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
    assert sum(lot.shown for one in open_to_it for lot in one.lots) / len(open_to_it) == pytest.approx(share, abs=0.015)


def test_a_small_share_of_production_sees_no_playbook_and_learning_always_may() -> None:
    units = [f"t{i}" for i in range(MANY)]
    drawn = {traffic: [Draws(unit=unit, traffic=traffic, shares=SHARES) for unit in units] for traffic in Traffic}
    share = sum(one.held_out for one in drawn[Traffic.PRODUCTION]) / MANY
    assert share == pytest.approx(0.02, abs=0.004)
    assert not any(one.held_out for one in drawn[Traffic.SHADOW])
    unlucky = next(one.unit for one in drawn[Traffic.PRODUCTION] if one.held_out)
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
    told = {lot.bullet_id: lot.chance for lot in exposure.lots}
    possible = {f"b-{stage}": chance(stage, traffic, SHARES) for stage in stages}
    expected = {name: share for name, share in possible.items() if share > 0.0}
    assert told == ({} if exposure.held_out else expected)


def near(count: int) -> list[ScoredBullet]:
    """Bullets of 10 letters and more, best first."""
    bullets = [Bullet(id=f"b{i}", domain_id="d", content="advice " * 3, stage=PlaybookStage.PROD) for i in range(count)]
    return [ScoredBullet(bullet=one, similarity=1.0, score=1.0) for one in bullets]


def test_without_lots_the_best_are_shown() -> None:
    shown, lots = choose(near(9), always, k=3)
    assert [scored.bullet.id for scored, _, _ in shown] == ["b0", "b1", "b2"]
    assert [(lot.chance, lot.shown) for lot in lots] == [(1.0, True)] * 3


def test_whoever_is_passed_over_makes_room_for_the_next() -> None:
    half = Shares(dropout=0.5, salt="s")
    for unit in map(str, range(50)):
        draws = Draws(unit=unit, traffic=Traffic.PRODUCTION, shares=half)
        shown, lots = choose(near(9), draws.lot, k=2)
        assert [scored.bullet.id for scored, _, _ in shown] == [lot.bullet_id for lot in lots if lot.shown]
        assert len(shown) == 2 or len(lots) == 9
        assert lots[-1].shown or len(lots) == 9  # nobody is drawn for once there is no room


def test_no_lot_is_drawn_for_what_the_budget_has_no_room_for() -> None:
    cost = estimate_tokens(render_bullet(near(1)[0].bullet))
    shown, lots = choose(near(9), always, k=9, budget=2 * cost + 1)
    assert (len(shown), len(lots)) == (2, 2)


def test_the_chance_of_a_lot_holds_whatever_came_before_it() -> None:
    """The third bullet is reached only when one of the first two was passed over; then it is shown half the time."""
    half, reached = Shares(dropout=0.5, salt="s"), []
    for unit in map(str, range(MANY)):
        _, lots = choose(near(3), Draws(unit=unit, traffic=Traffic.PRODUCTION, shares=half).lot, k=2)
        reached += [lot.shown for lot in lots if lot.bullet_id == "b2"]
    assert len(reached) / MANY == pytest.approx(0.75, abs=0.015)
    assert sum(reached) / len(reached) == pytest.approx(0.5, abs=0.015)


def test_learning_is_shown_everything_unless_evidence_decides() -> None:
    everything = Shares(trial=1.0)
    for stage in (PlaybookStage.SHADOW, PlaybookStage.STAGING, PlaybookStage.PROD):
        assert chance(stage, Traffic.SHADOW, everything) == 1.0


def test_a_share_outside_0_and_1_is_refused() -> None:
    with pytest.raises(ValueError):
        Shares(dropout=1.5)
