"""The breaker's table, row by row, and the laws that hold over any history of calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.breaker import Breaker, BreakerRule, BreakerState, ask, failed, reset, succeeded

RULE = BreakerRule(failure_threshold=3, recovery_timeout=60, probe_lease=10)
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def breaker(state: BreakerState, **fields: float) -> Breaker:
    return replace(Breaker(name="generator", state=state, generation=7), **fields)


@pytest.mark.parametrize(
    ("row", "now", "allowed", "after", "retry_after"),
    [
        pytest.param(breaker(CLOSED), 0, True, CLOSED, 0, id="closed: calls pass"),
        pytest.param(breaker(CLOSED, failures=2), 0, True, CLOSED, 0, id="closed with failures: calls pass"),
        pytest.param(breaker(OPEN, opened_at=100), 100, False, OPEN, 60, id="just opened: no"),
        pytest.param(breaker(OPEN, opened_at=100), 159, False, OPEN, 1, id="a second early: no"),
        pytest.param(breaker(OPEN, opened_at=100), 160, True, HALF_OPEN, 0, id="after the timeout: the probe"),
        pytest.param(breaker(HALF_OPEN, probe_at=160), 161, False, HALF_OPEN, 9, id="a probe is out: no"),
        pytest.param(breaker(HALF_OPEN, probe_at=160), 170, True, HALF_OPEN, 0, id="the probe was lost: another"),
    ],
)
def test_asking(row: Breaker, now: float, allowed: bool, after: BreakerState, retry_after: float) -> None:
    permit = ask(row, RULE, now)
    assert (permit.allowed, permit.breaker.state, permit.retry_after) == (allowed, after, retry_after)
    assert (permit.breaker == row) is (not allowed or row.state == CLOSED)


@pytest.mark.parametrize(
    ("row", "after", "failures"),
    [
        pytest.param(breaker(CLOSED, failures=2), CLOSED, 0, id="closed: failures are forgiven"),
        pytest.param(breaker(OPEN, failures=3), OPEN, 3, id="open: a late answer changes nothing"),
        pytest.param(breaker(HALF_OPEN, failures=3), CLOSED, 0, id="half open: the probe closes it"),
    ],
)
def test_a_success(row: Breaker, after: BreakerState, failures: int) -> None:
    found = succeeded(row, row.generation)
    assert (found.state, found.failures, found.total_successes) == (after, failures, 1)


@pytest.mark.parametrize(
    ("row", "after", "failures", "opened"),
    [
        pytest.param(breaker(CLOSED), CLOSED, 1, 0, id="closed: counted"),
        pytest.param(breaker(CLOSED, failures=2), OPEN, 3, 1, id="closed: at the threshold it opens"),
        pytest.param(breaker(OPEN, failures=3, opened_at=5), OPEN, 3, 0, id="open: a late failure changes nothing"),
        pytest.param(breaker(HALF_OPEN, failures=3), OPEN, 4, 1, id="half open: the probe opens it again"),
    ],
)
def test_a_failure(row: Breaker, after: BreakerState, failures: int, opened: int) -> None:
    found = failed(row, row.generation, RULE, now=200)
    assert (found.state, found.failures, found.open_count, found.total_failures) == (after, failures, opened, 1)
    assert found.opened_at == (200 if opened else row.opened_at)


@pytest.mark.parametrize("state", list(BreakerState))
def test_news_from_an_earlier_generation_only_counts(state: BreakerState) -> None:
    row = breaker(state, failures=2)
    assert succeeded(row, row.generation - 1) == replace(row, total_successes=1)
    assert failed(row, row.generation - 1, RULE, now=200) == replace(row, total_failures=1)


@pytest.mark.parametrize("state", list(BreakerState))
def test_a_reset_closes_it_and_keeps_the_totals(state: BreakerState) -> None:
    row = breaker(state, failures=3, total_failures=9, total_successes=4, open_count=2)
    found = reset(row)
    assert (found.state, found.failures) == (CLOSED, 0)
    assert (found.total_failures, found.total_successes, found.open_count) == (9, 4, 2)
    assert ask(found, RULE, 0).allowed


@dataclass
class History:
    """A breaker with calls under way, driven by events; `probes` are the calls let through while it was not closed."""

    row: Breaker = field(default_factory=lambda: Breaker(name="generator"))
    now: float = 1000.0
    under_way: list[int] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)

    def play(self, event: str) -> None:
        match event:
            case "tick":
                self.now += 4
            case "ask":
                self.ask()
            case "reset":
                self.row = reset(self.row)
            case "succeed" if self.under_way:
                self.row = succeeded(self.row, self.under_way.pop(0))
            case "fail" if self.under_way:
                self.row = failed(self.row, self.under_way.pop(0), RULE, self.now)

    def ask(self) -> None:
        permit = ask(self.row, RULE, self.now)
        if permit.allowed:
            self.under_way.append(permit.breaker.generation)
            if permit.breaker.state == HALF_OPEN:
                self.probes.append(self.now)
        self.row = permit.breaker


EVENTS = st.lists(st.sampled_from(["ask", "fail", "succeed", "tick", "fail", "ask", "reset"]), max_size=80)


@given(EVENTS)
def test_laws_that_hold_after_any_history(events: list[str]) -> None:
    history = History()
    for event in events:
        before = history.row
        history.play(event)
        after = history.row
        assert after.total_failures >= before.total_failures, "totals never fall"
        assert after.total_successes >= before.total_successes, "totals never fall"
        assert (after.state != before.state) <= (after.generation > before.generation), "a new state, a new generation"
        assert (before.state, after.state) != (OPEN, CLOSED) or event == "reset", "it never closes without a probe"
        assert after.state != CLOSED or after.failures < RULE.failure_threshold, "closed means below the threshold"
        assert (after.open_count > before.open_count) == (after.state == OPEN != before.state), "each opening counts"


@given(EVENTS)
def test_probes_are_given_one_at_a_time(events: list[str]) -> None:
    history = History()
    for event in [event for event in events if event != "reset"] + ["ask"] * 3:
        history.play(event)
    gaps = [later - earlier for earlier, later in zip(history.probes, history.probes[1:], strict=False)]
    assert all(gap >= RULE.probe_lease for gap in gaps)


@given(st.integers(1, 20), st.integers(0, 19))
def test_exactly_the_threshold_of_failures_in_a_row_opens_it(threshold: int, fewer: int) -> None:
    rule = BreakerRule(failure_threshold=threshold)
    row = Breaker(name="generator")
    for _ in range(min(fewer, threshold - 1)):
        row = failed(row, row.generation, rule, now=1)
    assert row.state == CLOSED
    for _ in range(threshold - row.failures):
        row = failed(row, row.generation, rule, now=1)
    assert row.state == OPEN
