"""One protected call: the breaker is asked, a place is awaited, then tries until one works or the time is up.

    outcome of a try                         then
    an answer                                the breaker hears of a success
    ModelUnreachable (connection, 429, 5xx)  wait, try again: Retry-After, else exponential backoff with full jitter
    no tries or no time left                 the breaker hears of a failure, the error goes up
    UnusableAnswer                           the server answered: a success for the breaker, the error goes up
    UserError (a refused key, a budget)      no outcome at all, the error goes up at once
    anything else                            a failure for the breaker, the error goes up as it is

Backoff with full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ace.core.breaker import BreakerRule
from ace.core.ports import Clock
from ace.errors import InvalidInput, ModelError, UserError
from ace.utils.llm_breaker_state import SharedBreakers
from ace.utils.llm_deadline import GRACE_S, deadline, run_within, seconds_left
from ace.utils.llm_errors import Fault, fault_of, kind_of
from ace.utils.llm_rate_limit import RateLimited, RateLimiter


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """At most `tries` in all; before try n+1 a random wait of up to `first_s` * 2^(n-1), never over `cap_s`."""

    tries: int = 4
    first_s: float = 0.5
    cap_s: float = 8.0

    def pause(self, tried: int, fault: Fault, left: float, chance: float) -> float | None:
        """Seconds before the next try, after `tried` of them; None when there is to be none. `chance` is 0..1."""
        if not fault.transient or tried >= self.tries:
            return None
        drawn = min(self.first_s * 2 ** (tried - 1), self.cap_s) * chance
        wait = drawn if fault.retry_after is None else fault.retry_after + drawn
        return wait if wait < left else None


class Protection:
    """Implements the port `Predict`. `deadline_s` is for the whole call: waits and retries included.

    `failure_threshold` and `recovery_timeout`, when given, count instead of what the caller of a call says.
    `on_error` is told of every try that failed, in one word (`kind_of`).
    """

    def __init__(
        self,
        *,
        breakers: SharedBreakers,
        limiter: RateLimiter,
        deadline_s: float,
        clock: Clock,
        failure_threshold: int | None = None,
        recovery_timeout: float | None = None,
        backoff: Backoff | None = None,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], None] = time.sleep,
        on_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.breakers = breakers
        self._limiter, self._deadline_s, self._clock = limiter, deadline_s, clock
        self._threshold, self._recovery = failure_threshold, recovery_timeout
        self._backoff = backoff or Backoff()
        self._chance, self._sleep, self._on_error = chance, sleep, on_error

    def __call__(
        self,
        predictor: Any,
        *,
        circuit_name: str,
        failure_threshold: int = 5,
        recovery_timeout: float = 60,
        **inputs: Any,
    ) -> Any:
        """What `predictor(**inputs)` returns. Raises CircuitOpen, DeadlineExceeded, ModelUnreachable, ModelError,
        UserError, or what else the predictor raised."""
        rule = BreakerRule(failure_threshold=self._threshold or failure_threshold,
                           recovery_timeout=self._recovery or recovery_timeout,
                           probe_lease=self._deadline_s + 1)  # fmt: skip
        generation = self.breakers.enter(circuit_name, rule)
        try:
            with deadline(self._deadline_s):
                result = self._tries(predictor, inputs, f"The call of '{circuit_name}'")
        except Exception as error:
            fault = fault_of(error)
            meant = error if fault is None else fault.error
            self._report(circuit_name, generation, rule, meant)
            if meant is error:
                raise
            raise meant from (None if isinstance(meant, InvalidInput) else error)
        self.breakers.succeeded(circuit_name, generation)
        return result

    def _tries(self, predictor: Any, inputs: dict[str, Any], work: str) -> Any:
        tried = 0
        while True:
            tried += 1
            self._sleep(self._limiter.wait_s(self._clock.monotonic(), seconds_left() or 0.0))
            try:
                return run_within((seconds_left() or 0.0) + GRACE_S, lambda: predictor(**inputs), name=work)
            except Exception as error:
                if kind := kind_of(error):
                    self._on_error(kind)
                fault = fault_of(error)
                left = seconds_left() or 0.0
                pause = self._backoff.pause(tried, fault, left, self._chance()) if fault else None
                if pause is None:
                    raise
            self._sleep(pause)

    def _report(self, name: str, generation: int | None, rule: BreakerRule, error: BaseException) -> None:
        if isinstance(error, ModelError):
            self.breakers.succeeded(name, generation)
        elif not isinstance(error, UserError | RateLimited):
            self.breakers.failed(name, generation, rule)
