"""Move the bullets of a domain to the stage their evidence has earned."""

from __future__ import annotations

from ace.core.gates import Gates, operations
from ace.core.ports import Clock, PlaybookStore
from ace.models.plan import Operation


def advance(domain_id: str, *, store: PlaybookStore, gates: Gates, clock: Clock) -> list[Operation]:
    """Promote and quarantine once, one step per bullet, in one transaction; what was done."""
    with store.transaction(domain_id) as transaction:
        due = operations(store.get_all(domain_id), gates)
        transaction.apply(due, vectors={}, now=clock.now())
    return due
