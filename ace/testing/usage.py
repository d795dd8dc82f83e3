"""What domains have spent, in memory: `ace.core.ports.UsageStore` for one process."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from ace.models.usage import DayUsage, Spent


class InMemoryUsage:
    """Sums that are forgotten with the process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Spent] = {}
        self._lock = Lock()

    def add(self, domain_id: str, day: str, spent: Spent) -> None:
        with self._lock:
            self._kept[domain_id, day] = self.spent(domain_id, day) + spent

    def spent(self, domain_id: str, day: str) -> Spent:
        return self._kept.get((domain_id, day), Spent())

    def days(self, domain_id: str | None = None, *, limit: int) -> Sequence[DayUsage]:
        own = [DayUsage(domain_id=one, day=day, spent=spent) for (one, day), spent in self._kept.items()
               if domain_id in (None, one)]  # fmt: skip
        by_domain = sorted(own, key=lambda one: one.domain_id)
        return sorted(by_domain, key=lambda one: one.day, reverse=True)[:limit]
