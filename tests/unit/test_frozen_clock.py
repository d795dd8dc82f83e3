"""The frozen clock moves only when told, and both of its hands move together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ace.testing.clock import START, FrozenClock


def test_it_stands_still_until_it_is_told_to_move() -> None:
    clock = FrozenClock()
    assert (clock.now(), clock.monotonic()) == (clock.now(), clock.monotonic()) == (START, 0.0)
    clock.advance(1.5)
    clock.advance(60)
    assert (clock.now(), clock.monotonic()) == (START + timedelta(seconds=61.5), 61.5)


def test_it_starts_where_it_is_put() -> None:
    moment = datetime(2030, 5, 1, tzinfo=UTC)
    assert FrozenClock(moment).now() == moment
