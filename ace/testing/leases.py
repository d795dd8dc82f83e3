"""Leases in memory: what the table does, for one process."""

from __future__ import annotations

from threading import Lock


class InMemoryLeases:
    """`ace.core.ports.Leases`. `outage`, when set, is raised by every method."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, float]] = {}
        self._lock = Lock()
        self.outage: Exception | None = None

    def acquire(self, name: str, holder: str, *, now: float, seconds: float) -> bool:
        with self._lock:
            if self.holder(name, now=now) not in (None, holder):
                return False
            self._held[name] = (holder, now + seconds)
            return True

    def release(self, name: str, holder: str) -> None:
        with self._lock:
            if self.holder(name, now=float("-inf")) == holder:
                del self._held[name]

    def holder(self, name: str, *, now: float) -> str | None:
        if self.outage is not None:
            raise self.outage
        holder, until = self._held.get(name, ("", float("-inf")))
        return holder if until > now else None
