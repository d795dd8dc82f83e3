"""The circuit breakers of the language model, as roles use them and operators type them.

    protected_predict(predictor, circuit_name="generator", question=…)     one protected call
    get_llm_breaker_metrics()                                              name, state and totals of each breaker
    get_or_create_llm_breaker("generator").reset()                         close one, for every process
    reset_llm_breakers()                                                   close all, for every process

They work from a bare shell: settings come from the environment, the breakers' rows from the database.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ace.config import get_settings
from ace.core.breaker import Breaker, BreakerState, reset
from ace.utils import metrics
from ace.utils.clock import SystemClock
from ace.utils.llm_breaker_state import SharedBreakers
from ace.utils.llm_protection import Protection
from ace.utils.llm_rate_limit import RateLimiter

ROLES = ("generator", "reflector")  # these breakers are always listed, used or not


def protected_predict(
    predictor: Any,
    *,
    circuit_name: str,
    failure_threshold: int = 5,
    recovery_timeout: float = 60,
    **inputs: Any,
) -> Any:
    """What `predictor(**inputs)` returns, guarded by the breaker `circuit_name`, retries, a rate limit, a deadline.

    `failure_threshold` outages in a row open the breaker; `recovery_timeout` seconds later one call may try again.
    The settings ACE_FAILURE_THRESHOLD and ACE_RECOVERY_TIMEOUT, when set, count instead.
    Raises CircuitOpen ("Circuit breaker 'generator' is OPEN …"), DeadlineExceeded, ModelUnreachable, ModelError,
    UserError.
    """
    return default_protection()(
        predictor,
        circuit_name=circuit_name,
        failure_threshold=failure_threshold,
        recovery_timeout=recovery_timeout,
        **inputs,
    )


@lru_cache(maxsize=1)
def default_protection() -> Protection:
    """The protection of this process, from its settings; the database is not touched before the first call."""
    from ace.repositories.breaker_repository import BreakerRepository

    settings, clock = get_settings(), SystemClock()
    return Protection(
        breakers=SharedBreakers(BreakerRepository, clock),
        limiter=RateLimiter(settings.llm_calls_per_minute),
        deadline_s=settings.llm_deadline_s,
        clock=clock,
        failure_threshold=settings.failure_threshold,
        recovery_timeout=settings.recovery_timeout,
        on_error=metrics.llm_error,
    )


class LLMBreaker:
    """One breaker, by name; what it says is read from the database each time."""

    def __init__(self, name: str, breakers: SharedBreakers) -> None:
        self.name, self._breakers = name, breakers

    @property
    def state(self) -> BreakerState:
        """closed, open or half_open. Raises StoreUnavailable, DeadlineExceeded."""
        return self._breakers.bounded(lambda store: store.load(self.name)).state

    def reset(self) -> None:
        """Close it for every process; the totals stay. Raises StoreUnavailable, DeadlineExceeded."""
        self._breakers.bounded(lambda store: store.update(self.name, reset))


def get_or_create_llm_breaker(name: str) -> LLMBreaker:
    """The breaker of this name; one that nobody has used yet is closed."""
    return LLMBreaker(name, default_protection().breakers)


def get_llm_breaker_metrics() -> list[dict[str, Any]]:
    """Per breaker: name, state, total_failures, total_successes, open_count. Raises StoreUnavailable."""
    rows = {name: Breaker(name=name) for name in ROLES}
    rows.update((row.name, row) for row in default_protection().breakers.bounded(lambda store: store.all()))
    return [
        {
            "name": row.name,
            "state": row.state.value,
            "total_failures": row.total_failures,
            "total_successes": row.total_successes,
            "open_count": row.open_count,
        }
        for row in sorted(rows.values(), key=lambda row: row.name)
    ]


def reset_llm_breakers() -> None:
    """Close every breaker, for every process. Raises StoreUnavailable, DeadlineExceeded."""
    for row in get_llm_breaker_metrics():
        get_or_create_llm_breaker(row["name"]).reset()
