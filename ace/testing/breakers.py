"""Circuit breakers in memory: what the database's table of breakers does, for one process."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from ace.core.breaker import Breaker


class InMemoryBreakers:
    """Implements the breakers' store. `outage`, when set, is raised by every method; `before_each` runs first."""

    def __init__(self) -> None:
        self._rows: dict[str, Breaker] = {}
        self._lock = Lock()
        self.outage: Exception | None = None
        self.before_each: Callable[[], None] = lambda: None

    def load(self, name: str) -> Breaker:
        self._arrive()
        return self._rows.get(name, Breaker(name=name))

    def all(self) -> list[Breaker]:
        self._arrive()
        return sorted(self._rows.values(), key=lambda row: row.name)

    def update(self, name: str, decide: Callable[[Breaker], Breaker]) -> tuple[Breaker, Breaker]:
        self._arrive()
        with self._lock:
            before = self._rows.get(name, Breaker(name=name))
            self._rows[name] = decide(before)
            return before, self._rows[name]

    def _arrive(self) -> None:
        self.before_each()
        if self.outage is not None:
            raise self.outage
