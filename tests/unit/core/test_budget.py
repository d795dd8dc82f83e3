"""A day's budget: which limit leaves no room, and when it is looked at again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ace.core.budget import LOOK_AGAIN_S, day_of, due_again, exceeded
from ace.models.run import Limits
from ace.models.usage import Spent

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("limits", "spent", "reached"),
    [
        pytest.param(Limits(), Spent(calls=10**9), None, id="no-limit"),
        pytest.param(Limits(calls=3), Spent(calls=2, tokens=10**9), None, id="room"),
        pytest.param(Limits(calls=3), Spent(calls=3), "3 calls (3 used)", id="calls"),
        pytest.param(Limits(tokens=100), Spent(tokens=140), "100 tokens (140 used)", id="tokens"),
        pytest.param(Limits(cost_usd=0.5), Spent(cost_usd=0.75), "0.5 US dollars (0.75 used)", id="dollars"),
        pytest.param(Limits(calls=0), Spent(), "0 calls (0 used)", id="none-at-all"),
    ],
)
def test_a_limit_is_reached_when_no_call_more_fits(limits: Limits, spent: Spent, reached: str | None) -> None:
    assert exceeded(limits, spent) == reached


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        pytest.param(NOON, LOOK_AGAIN_S, id="at-noon-after-a-quarter-of-an-hour"),
        pytest.param(NOON.replace(hour=23, minute=55), 300.0, id="just-before-midnight-then"),
        pytest.param(NOON.replace(hour=0), LOOK_AGAIN_S, id="at-midnight"),
    ],
)
def test_an_episode_waits_for_the_day_to_end_or_the_budget_to_be_raised(now: datetime, seconds: float) -> None:
    assert due_again(now) == now.timestamp() + seconds


def test_a_day_is_one_of_utc() -> None:
    assert day_of(datetime(2026, 11, 26, 1, tzinfo=timezone(timedelta(hours=9)))) == "2026-11-25"
