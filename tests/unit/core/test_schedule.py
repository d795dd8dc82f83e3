"""Who runs a job, when, and what a crontab would say about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.schedule import cron_fields, is_due, pause


@pytest.mark.parametrize(
    ("leads", "last", "interval", "due"),
    [
        pytest.param(False, None, 300, False, id="another-leads"),
        pytest.param(False, 0, 300, False, id="no-longer-leads"),
        pytest.param(True, None, 300, True, id="has-just-come-to-lead"),
        pytest.param(True, 701, 300, False, id="ran-a-moment-ago"),
        pytest.param(True, 700, 300, True, id="ran-an-interval-ago"),
        pytest.param(True, None, 0, False, id="switched-off"),
    ],
)
def test_the_table(leads: bool, last: float | None, interval: float, due: bool) -> None:
    assert is_due(1000, leads=leads, last=last, interval_s=interval) is due


@given(st.booleans(), st.none() | st.floats(0, 1000), st.floats(0.1, 1e6))
def test_nobody_sleeps_longer_than_a_lease_allows_nor_past_the_next_run(
    leads: bool, last: float | None, interval: float
) -> None:
    seconds = pause(1000, leads=leads, last=last, interval_s=interval, look_s=10)
    assert 0 <= seconds <= 10
    if leads and last is not None and not is_due(1000, leads=True, last=last, interval_s=interval):
        assert seconds <= interval


@pytest.mark.parametrize(
    ("seconds", "fields"),
    [
        pytest.param(5, "* * * * *", id="seconds"),
        pytest.param(60, "* * * * *", id="a-minute"),
        pytest.param(300, "*/5 * * * *", id="five-minutes"),
        pytest.param(420, "*/10 * * * *", id="seven-minutes-is-no-part-of-an-hour"),
        pytest.param(2400, "0 * * * *", id="forty-minutes"),
        pytest.param(3600, "0 * * * *", id="an-hour"),
        pytest.param(7200, "0 */2 * * *", id="two-hours"),
        pytest.param(10**6, "0 0 * * *", id="days"),
    ],
)
def test_the_crontab_says_the_nearest_it_can(seconds: float, fields: str) -> None:
    assert cron_fields(seconds) == fields
