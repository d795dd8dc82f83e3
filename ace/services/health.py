"""How is the service? The answer comes in time even when the database does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ace.core.breaker import Breaker, BreakerState
from ace.errors import AceError, DeadlineExceeded, SchemaMismatch

ROLES = ("generator", "reflector")  # these breakers are always listed, used or not


class Status(StrEnum):
    """Can it serve?"""

    HEALTHY = "healthy"
    DEGRADED = "degraded"  # it serves, and something needs a look
    UNHEALTHY = "unhealthy"  # it cannot serve


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What was found. `detail` says in words what is wrong, for the log and for `/readyz`."""

    status: Status
    database: str  # connected, outdated (schema), unavailable, timeout
    faiss: str  # the vector index, whichever it is: ready, unavailable
    breakers: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""


class HealthCheck:
    """`breakers()` reads the breakers' rows, in good time: if that works, the database and its schema do."""

    def __init__(self, breakers: Callable[[], Sequence[Breaker]], index_ready: Callable[[], bool]) -> None:
        self._breakers, self._index_ready = breakers, index_ready

    def check(self) -> Health:
        """The state of things."""
        faiss, reason = self._index()
        try:
            rows = self._breakers()
        except DeadlineExceeded as error:
            return _unhealthy("timeout", faiss, str(error))
        except SchemaMismatch as error:
            return _unhealthy("outdated", faiss, str(error))
        except AceError as error:
            return _unhealthy("unavailable", faiss, str(error))
        return _judged({row.name: row.state for row in rows}, faiss, reason)

    def _index(self) -> tuple[str, str]:
        """Whether it can be searched, and if not, why."""
        try:
            return ("ready", "") if self._index_ready() else ("unavailable", "the vector index cannot be used")
        except AceError as error:
            return "unavailable", f"the vector index cannot be used: {error}"


def _unhealthy(database: str, faiss: str, detail: str) -> Health:
    return Health(status=Status.UNHEALTHY, database=database, faiss=faiss, detail=detail,
                  breakers=dict.fromkeys(ROLES, "unknown"))  # fmt: skip


def _judged(states: Mapping[str, BreakerState], faiss: str, reason: str) -> Health:
    named = {role: states.get(role, BreakerState.CLOSED).value for role in ROLES}
    open_ones = sorted(name for name, state in states.items() if state != BreakerState.CLOSED)
    wrong = [f"circuit breaker '{name}' is {states[name]}" for name in open_ones]
    wrong += [reason] if reason else []
    status = Status.DEGRADED if wrong else Status.HEALTHY
    return Health(status=status, database="connected", faiss=faiss, breakers=named, detail="; ".join(wrong))
