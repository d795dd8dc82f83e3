"""Our own work for a request, of which nobody waits longer than a moment: done in time, or gone on without.

Work that was left behind is not begun, or goes on in its thread; while too much of it does, nobody waits at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event
from typing import Any, Generic, TypeVar

from anyio import CapacityLimiter, to_thread

T = TypeVar("T")
AT_ONCE = 16


class Late(Exception):
    """It was not done in time; `why` is slow or busy."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class Outcome(Generic[T]):
    """What came of the work: a value, or an error."""

    def __init__(self, value: T | None = None, error: BaseException | None = None) -> None:
        self.value, self.error = value, error


class Patience:
    """`seconds` for each piece of work, `at_once` pieces at most."""

    def __init__(self, seconds: float, at_once: int = AT_ONCE) -> None:
        self._seconds, self._at_once = seconds, at_once
        self._limiter: CapacityLimiter | None = None
        self._left_behind: set[asyncio.Future[Any]] = set()

    async def of(self, work: Callable[[], T]) -> Outcome[T]:
        """What came of it; the error is Late when it was not waited for."""
        self._limiter = self._limiter or CapacityLimiter(self._at_once)  # belongs to the event loop it is made in
        if len(self._left_behind) >= self._at_once:
            return Outcome(error=Late("busy"))
        late = Event()

        def unless_late() -> T:
            if late.is_set():
                raise Late("slow")
            return work()

        task = asyncio.ensure_future(to_thread.run_sync(unless_late, limiter=self._limiter))
        done, _ = await asyncio.wait({task}, timeout=self._seconds)
        if not done:
            late.set()
            self._left_behind.add(task)
            task.add_done_callback(self._forget)
            return Outcome(error=Late("slow"))
        error = task.exception()
        return Outcome(error=error) if error else Outcome(task.result())

    def _forget(self, task: asyncio.Future[Any]) -> None:
        self._left_behind.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: nobody waits for it any more
