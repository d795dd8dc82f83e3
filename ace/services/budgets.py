"""Know what each domain spends on language models in a day, and whether it may spend more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ace.core.budget import day_of, due_again, exceeded
from ace.core.ports import Clock, Meter, UsageStore
from ace.core.validation import check_domain
from ace.models.run import Limits
from ace.models.usage import DayUsage, Spent

DAYS_SHOWN = 31


class Budgets:
    """The budgets of one store's domains: `limits` for each of them, each day of UTC."""

    def __init__(self, usage: UsageStore, clock: Clock, limits: Limits | None = None) -> None:
        self._usage, self._clock, self.limits = usage, clock, limits or Limits()

    def used_up(self, domain_id: str) -> str | None:
        """The limit that leaves no room today, in words; None when there is room."""
        if self.limits == Limits():
            return None
        reached = exceeded(self.limits, self.today(domain_id).spent)
        return None if reached is None else f"The budget of domain {domain_id} for today is used up: {reached}."

    def today(self, domain_id: str) -> DayUsage:
        """What a domain has spent today."""
        day = day_of(self._clock.now())
        return DayUsage(domain_id=domain_id, day=day, spent=self._usage.spent(check_domain(domain_id), day))

    def days(self, domain_id: str | None = None) -> Sequence[DayUsage]:
        """What was spent on the last days, the latest first; of all domains without one."""
        return self._usage.days(None if domain_id is None else check_domain(domain_id), limit=DAYS_SHOWN)

    def due_again(self) -> float:
        """When an episode is tried again that there was no budget for."""
        return due_again(self._clock.now())

    @contextmanager
    def charging(self, domain_id: str, meter: Meter) -> Iterator[None]:
        """What is used inside is the domain's, also when it ends in an error. Raises StoreUnavailable."""
        with meter.scope(domain_id) as tally:
            try:
                yield
            finally:
                used = tally.usage
                if used.calls:
                    spent = Spent(calls=used.calls, tokens=used.tokens, cost_usd=used.cost_usd)
                    self._usage.add(domain_id, day_of(self._clock.now()), spent)
