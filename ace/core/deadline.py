"""A total deadline: one clock for all the steps of a piece of work, however they are cut."""

from __future__ import annotations

from ace.core.ports import Clock
from ace.errors import DeadlineExceeded


class Deadline:
    """`seconds` from now for the whole of `work`; `check` raises once they have passed."""

    def __init__(self, clock: Clock, seconds: float, work: str) -> None:
        self._clock, self._seconds, self._work = clock, seconds, work
        self._end = clock.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(self._end - self._clock.monotonic(), 0.0)

    def check(self, step: str) -> None:
        """Raises DeadlineExceeded, naming the step just done, when no time is left."""
        if self.remaining() == 0.0:
            raise DeadlineExceeded(
                f"{self._work} took longer than {self._seconds:g} s (after {step}); nothing was written. "
                "Send fewer at a time, or allow more time."
            )
