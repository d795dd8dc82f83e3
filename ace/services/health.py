"""How is the service? The answer comes in time even when the database does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum

from ace.core.breaker import Breaker, BreakerState
from ace.errors import AceError, SchemaMismatch

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
    faiss: str  # ready, unavailable
    breakers: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""


Probe = Callable[[], Sequence[Breaker]]
"""Reads the breakers' rows: if that works, the database and its schema do."""


class HealthCheck:
    """Asks the probe, for `patience_s` seconds at most; one question is asked at a time, however many want to know."""

    def __init__(self, probe: Probe, index_ready: Callable[[], bool], *, patience_s: float = 0.7) -> None:
        self._probe, self._index_ready, self._patience_s = probe, index_ready, patience_s
        self._lock = threading.Lock()
        self._asking: Future[Sequence[Breaker]] | None = None

    def check(self) -> Health:
        """The state of things, within `patience_s` seconds."""
        faiss = "ready" if self._index_ready() else "unavailable"
        try:
            rows = self._ask().result(self._patience_s)
        except TimeoutError:
            return _unhealthy("timeout", faiss, f"the database did not answer within {self._patience_s:g} s")
        except SchemaMismatch as error:
            return _unhealthy("outdated", faiss, str(error))
        except AceError as error:
            return _unhealthy("unavailable", faiss, str(error))
        return _judged({row.name: row.state for row in rows}, faiss)

    def _ask(self) -> Future[Sequence[Breaker]]:
        with self._lock:
            if self._asking is None or self._asking.done():
                self._asking = Future()
                asking = self._asking
                threading.Thread(target=_answer, args=(asking, self._probe), name="health", daemon=True).start()
            return self._asking


def _answer(future: Future[Sequence[Breaker]], probe: Probe) -> None:
    try:
        future.set_result(probe())
    except BaseException as error:  # noqa: BLE001  carried to the thread that waits, nothing is swallowed
        future.set_exception(error)


def _unhealthy(database: str, faiss: str, detail: str) -> Health:
    return Health(status=Status.UNHEALTHY, database=database, faiss=faiss, detail=detail,
                  breakers=dict.fromkeys(ROLES, "unknown"))  # fmt: skip


def _judged(states: Mapping[str, BreakerState], faiss: str) -> Health:
    named = {role: states.get(role, BreakerState.CLOSED).value for role in ROLES}
    open_ones = sorted(name for name, state in states.items() if state != BreakerState.CLOSED)
    wrong = [f"circuit breaker '{name}' is {states[name]}" for name in open_ones]
    wrong += [] if faiss == "ready" else ["FAISS cannot be loaded"]
    status = Status.DEGRADED if wrong else Status.HEALTHY
    return Health(status=status, database="connected", faiss=faiss, breakers=named, detail="; ".join(wrong))
