"""The lines of a whole playbook: in order of birth, dealt by the lots that anyone can draw again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.exposure import Draws, Shares, choose
from ace.core.rendering import render_context
from ace.core.roll import Diverged, Roll
from ace.models.journal import Entry, Position
from ace.models.playbook import Bullet, PlaybookStage, ScoredBullet, Traffic

BULLETS = [
    Bullet(id=f"b{number}", domain_id="d", content=f"advice {number}", stage=stage)
    for number, stage in enumerate(list(PlaybookStage) * 40)
]
HALF = Shares(dropout=0.4, canary=0.5, trial=0.5, salt="s")


def roll() -> Roll:
    return Roll(BULLETS, Position(seq=len(BULLETS), hash="h"))


@given(st.sampled_from(Traffic), st.text(alphabet="abc", max_size=3), st.sampled_from([HALF, Shares(trial=1.0)]))
def test_a_hand_is_what_drawing_for_each_bullet_gives(traffic: Traffic, unit: str, shares: Shares) -> None:
    draws = Draws(unit=unit, traffic=traffic, shares=shares)
    hand = roll().deck(draws, frozenset()).deal(unit, shares.salt)
    visible = [ScoredBullet(bullet=one, similarity=0.0, score=0.0) for one in BULLETS if one.stage in draws.stages]
    shown, lots = choose(visible, draws.lot, k=len(BULLETS))
    assert (list(hand.bullets), list(hand.lots)) == ([scored for scored, _, _ in shown], lots)
    assert hand.text == render_context(scored.bullet for scored in hand.bullets)
    assert hand.tokens == sum(cost for _, _, cost in shown)


def test_without_draws_everything_of_the_stages_is_dealt_in_order_of_birth() -> None:
    hand = roll().deck(None, frozenset({PlaybookStage.PROD})).deal("", "")
    assert [one.bullet.id for one in hand.bullets] == [b.id for b in BULLETS if b.stage == PlaybookStage.PROD]
    assert {lot.chance for lot in hand.lots} == {1.0}


def test_a_session_is_dealt_the_same_and_another_its_own() -> None:
    draws = Draws(unit="one", traffic=Traffic.PRODUCTION, shares=HALF)
    deck = roll().deck(draws, frozenset())
    assert deck.deal("one", "s") is deck.deal("one", "s")
    assert deck.deal("one", "s").text != deck.deal("other", "s").text


def test_an_entry_that_does_not_follow_is_refused() -> None:
    entry = Entry(domain_id="d", seq=len(BULLETS) + 1, at=datetime(2026, 1, 1, tzinfo=UTC), kind="observe", body={},
                  previous="another", hash="x")  # fmt: skip
    with pytest.raises(Diverged):
        roll().read([entry])
