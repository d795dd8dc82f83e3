"""The circuit breaker, as a table. `now` is an argument; where the row lives is somebody else's business.

state       may I call?                            on success             on failure
CLOSED      yes                                    failures = 0           failures + 1; at the threshold: OPEN
OPEN        no, until recovery_timeout has passed;
            then one caller gets the probe         (late reply) ignored   (late reply) ignored
HALF_OPEN   only the holder of the probe; a lost
            probe is given again after its lease   CLOSED, failures = 0   OPEN again, from now
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class BreakerState(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerRule:
    """The numbers of one breaker: failures in a row that open it, seconds until a probe, seconds a probe may take."""

    failure_threshold: int = 5
    recovery_timeout: float = 60.0
    probe_lease: float = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """One breaker's row. Times are seconds since the epoch; `generation` rises with every change of state."""

    name: str
    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    opened_at: float = 0.0
    probe_at: float = 0.0
    generation: int = 0
    total_failures: int = 0
    total_successes: int = 0
    open_count: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Permit:
    """The answer to "may I call?": the row after asking, and when refused, the seconds to wait."""

    breaker: Breaker
    allowed: bool
    retry_after: float = 0.0


def ask(breaker: Breaker, rule: BreakerRule, now: float) -> Permit:
    """May one call be made now? Past the timeout, or when the probe was lost, the asker becomes the probe."""
    if breaker.state == BreakerState.CLOSED:
        return Permit(breaker=breaker, allowed=True)
    probing = breaker.state == BreakerState.HALF_OPEN
    ready_at = breaker.probe_at + rule.probe_lease if probing else breaker.opened_at + rule.recovery_timeout
    if now < ready_at:
        return Permit(breaker=breaker, allowed=False, retry_after=ready_at - now)
    return Permit(breaker=_moved(breaker, BreakerState.HALF_OPEN, probe_at=now), allowed=True)


def succeeded(breaker: Breaker, generation: int) -> Breaker:
    """The row after a call that began in `generation` worked."""
    counted = replace(breaker, total_successes=breaker.total_successes + 1)
    if generation != breaker.generation or breaker.state == BreakerState.OPEN:
        return counted
    if breaker.state == BreakerState.HALF_OPEN:
        return _moved(counted, BreakerState.CLOSED, failures=0)
    return replace(counted, failures=0)


def failed(breaker: Breaker, generation: int, rule: BreakerRule, now: float) -> Breaker:
    """The row after a call that began in `generation` failed."""
    counted = replace(breaker, total_failures=breaker.total_failures + 1)
    if generation != breaker.generation or breaker.state == BreakerState.OPEN:
        return counted
    failures = breaker.failures + 1
    if breaker.state == BreakerState.HALF_OPEN or failures >= rule.failure_threshold:
        return _moved(counted, BreakerState.OPEN, failures=failures, opened_at=now, open_count=breaker.open_count + 1)
    return replace(counted, failures=failures)


def reset(breaker: Breaker) -> Breaker:
    """CLOSED by a person's hand; the totals stay."""
    return _moved(breaker, BreakerState.CLOSED, failures=0)


def _moved(breaker: Breaker, state: BreakerState, **changes: Any) -> Breaker:
    return replace(breaker, state=state, generation=breaker.generation + 1, **changes)
