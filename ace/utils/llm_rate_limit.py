"""A rate limit without a queue: the generic cell rate algorithm (ITU-T I.371), as one number.

`ready_at` is when the next call may start. Each call moves it `60 / per_minute` seconds on; a call that comes while
`ready_at` lies in the future waits for it. Unused time is saved up for at most `BURST_S` seconds of calls.
The limit is one process's: divide a provider's limit by the number of processes.
"""

from __future__ import annotations

import threading

from ace.errors import DeadlineExceeded

BURST_S = 1.0


class RateLimited(DeadlineExceeded):
    """Our own rate limit has no place for the call before its deadline; nothing was asked of the server."""


def reserve(ready_at: float, now: float, per_minute: int) -> tuple[float, float]:
    """`(seconds to wait, the new ready_at)` for one call asked for at `now`."""
    start = max(ready_at, now - BURST_S)
    return max(start - now, 0.0), start + 60.0 / per_minute


class RateLimiter:
    """At most `per_minute` calls a minute for all threads of this process; None is no limit."""

    def __init__(self, per_minute: int | None) -> None:
        self._per_minute = per_minute
        self._ready_at = float("-inf")
        self._lock = threading.Lock()

    def wait_s(self, now: float, at_most: float) -> float:
        """Take the next place; the seconds to wait before calling. `now` is monotonic, in seconds.

        Raises RateLimited, taking no place, when that would be more than `at_most`.
        """
        if self._per_minute is None:
            return 0.0
        with self._lock:
            wait, ready_at = reserve(self._ready_at, now, self._per_minute)
            if wait > at_most:
                raise RateLimited(
                    f"ACE_LLM_CALLS_PER_MINUTE leaves no place for {wait:.0f} s. Raise it, or run fewer at a time."
                )
            self._ready_at = ready_at
        return wait
