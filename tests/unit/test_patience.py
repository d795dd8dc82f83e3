"""Nobody waits longer for our own work than they have to, whatever becomes of it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ace.errors import StoreUnavailable
from ace.web.proxy.patience import Late, Patience

GENEROUS, SHORT = 30.0, 0.02


def failing() -> None:
    raise StoreUnavailable("away")


def test_what_is_done_in_time_is_given_back() -> None:
    outcome = asyncio.run(Patience(GENEROUS).of(lambda: 7))
    assert (outcome.value, outcome.error) == (7, None)


def test_an_error_is_an_outcome() -> None:
    outcome = asyncio.run(Patience(GENEROUS).of(failing))
    assert isinstance(outcome.error, StoreUnavailable) and outcome.value is None


def test_what_is_late_is_left_behind_and_beyond_so_many_nobody_waits() -> None:
    going_on = threading.Event()

    async def work() -> list[str]:
        patience = Patience(SHORT, at_once=2)
        found = [await patience.of(going_on.wait) for _ in range(4)]
        going_on.set()
        while (last := await patience.of(lambda: True)).error is not None:  # until what was left behind is done
            await asyncio.sleep(0.01)
        assert last.value is True
        return [one.error.why for one in found if isinstance(one.error, Late)]

    assert asyncio.run(work()) == ["slow", "slow", "busy", "busy"]


def test_what_waits_for_its_turn_until_it_is_late_is_not_begun() -> None:
    begun, going_on = [], threading.Event()

    async def work() -> None:
        patience = Patience(SHORT, at_once=1)
        busy, queued = await asyncio.gather(patience.of(going_on.wait), patience.of(lambda: begun.append(1)))
        assert isinstance(busy.error, Late) and isinstance(queued.error, Late)
        going_on.set()
        while (await patience.of(lambda: True)).error is not None:
            await asyncio.sleep(0.01)

    asyncio.run(work())
    assert begun == []


def test_the_error_of_what_was_left_behind_is_nobodys(recwarn: pytest.WarningsRecorder) -> None:
    going_on = threading.Event()

    def late() -> None:
        going_on.wait()
        failing()

    async def work() -> None:
        patience = Patience(SHORT, at_once=1)
        await patience.of(late)
        going_on.set()
        while (await patience.of(lambda: True)).error is not None:
            await asyncio.sleep(0.01)

    asyncio.run(work())
    assert not list(recwarn)
