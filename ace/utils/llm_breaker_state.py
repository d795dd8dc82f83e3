"""The breakers' rows, in the database, shared by every process; and what happens when the database is away.

A breaker protects a model server. It must never be the reason a working model cannot be asked, so when the rows
cannot be read within `PATIENCE_S` seconds calls pass unprotected, a warning is logged, and the database is left alone
for `QUIET_S` seconds. The rule itself is the table in `ace.core.breaker`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol, TypeVar

from ace.core.breaker import Breaker, BreakerRule, BreakerState, ask, failed, succeeded
from ace.core.ports import Clock
from ace.errors import AceError, CircuitOpen
from ace.utils.llm_deadline import run_within

PATIENCE_S = 2.0
QUIET_S = 5.0
T = TypeVar("T")
log = logging.getLogger(__name__)


class BreakerStore(Protocol):
    """One row per breaker. Each method raises StoreUnavailable when the database is away."""

    def load(self, name: str) -> Breaker:
        """The breaker's row; a closed one when nobody has used it yet."""
        ...

    def all(self) -> list[Breaker]:
        """Every breaker there is."""
        ...

    def update(self, name: str, decide: Callable[[Breaker], Breaker]) -> tuple[Breaker, Breaker]:
        """Replace the row by `decide(row)`, atomically over all processes; the row before and after."""
        ...


class SharedBreakers:
    """Asks before a call and reports after it. `make_store` is called once, when first needed."""

    def __init__(
        self,
        make_store: Callable[[], BreakerStore],
        clock: Clock,
        *,
        patience_s: float = PATIENCE_S,
        quiet_s: float = QUIET_S,
    ) -> None:
        self._make_store, self._clock = make_store, clock
        self._patience_s, self._quiet_s = patience_s, quiet_s
        self._store: BreakerStore | None = None
        self._quiet_until = float("-inf")

    @property
    def store(self) -> BreakerStore:
        if self._store is None:
            self._store = self._make_store()
        return self._store

    def bounded(self, work: Callable[[BreakerStore], T]) -> T:
        """`work(store)`. Raises DeadlineExceeded when the database does not answer in time, StoreUnavailable."""
        return run_within(self._patience_s, lambda: work(self.store), name="The breakers' database")

    def enter(self, name: str, rule: BreakerRule) -> int | None:
        """The generation the call begins in, None when the rows are away. Raises CircuitOpen."""
        row = self._try(lambda store: store.load(name))
        if row is None or row.state == BreakerState.CLOSED:
            return row.generation if row else None
        now = self._now()
        rows = self._try(lambda store: store.update(name, lambda breaker: ask(breaker, rule, now).breaker))
        if rows is None:
            return None
        permit = ask(rows[0], rule, now)
        if not permit.allowed:
            raise CircuitOpen(name, permit.retry_after)
        return permit.breaker.generation

    def succeeded(self, name: str, generation: int | None) -> None:
        """Report that a call that began in `generation` was answered."""
        if generation is not None:
            self._try(lambda store: store.update(name, lambda breaker: succeeded(breaker, generation)))

    def failed(self, name: str, generation: int | None, rule: BreakerRule) -> None:
        """Report that a call that began in `generation` met an outage."""
        if generation is None:
            return
        now = self._now()
        rows = self._try(lambda store: store.update(name, lambda breaker: failed(breaker, generation, rule, now)))
        if rows is not None and rows[1].open_count > rows[0].open_count:
            log.warning("circuit_breaker_opened", extra={"breaker": name, "failures": rows[1].failures})

    def _try(self, work: Callable[[BreakerStore], T]) -> T | None:
        if self._clock.monotonic() < self._quiet_until:
            return None
        try:
            return self.bounded(work)
        except AceError as error:
            self._quiet_until = self._clock.monotonic() + self._quiet_s
            log.warning("circuit_breaker_unprotected", extra={"seconds": self._quiet_s, "reason": str(error)})
            return None

    def _now(self) -> float:
        return self._clock.now().timestamp()
