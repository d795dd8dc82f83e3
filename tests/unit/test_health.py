"""What is said of the service, by what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ace.core.breaker import Breaker, BreakerState
from ace.errors import DeadlineExceeded, SchemaMismatch, StoreUnavailable
from ace.services.health import HealthCheck, Status


def found(*rows: Breaker) -> Callable[[], Sequence[Breaker]]:
    return lambda: rows


def raising(error: Exception) -> Callable[[], Sequence[Breaker]]:
    def breakers() -> Sequence[Breaker]:
        raise error

    return breakers


OPEN = Breaker(name="generator", state=BreakerState.OPEN)


@pytest.mark.parametrize(
    ("breakers", "ready", "status", "database", "detail"),
    [
        pytest.param(found(), True, Status.HEALTHY, "connected", "", id="well"),
        pytest.param(found(OPEN), True, Status.DEGRADED, "connected", "'generator' is open", id="breaker-open"),
        pytest.param(found(), False, Status.DEGRADED, "connected", "vector index", id="no-index"),
        pytest.param(raising(DeadlineExceeded("late")), True, Status.UNHEALTHY, "timeout", "late", id="hangs"),
        pytest.param(raising(SchemaMismatch("old")), True, Status.UNHEALTHY, "outdated", "old", id="old-schema"),
        pytest.param(raising(StoreUnavailable("away")), True, Status.UNHEALTHY, "unavailable", "away", id="away"),
    ],
)
def test_the_state_of_things(
    breakers: Callable[[], Sequence[Breaker]], ready: bool, status: Status, database: str, detail: str
) -> None:
    health = HealthCheck(breakers, lambda: ready).check()
    assert (health.status, health.database) == (status, database)
    assert detail in health.detail
    assert set(health.breakers) == {"generator", "reflector"}
