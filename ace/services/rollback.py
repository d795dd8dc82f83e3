"""Bring a playbook back to what it was. The way back is one more entry of the journal: nothing is lost by it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ace.core.journal import canonical, digest
from ace.core.ports import Clock, PlaybookStore, Transaction
from ace.core.validation import check_text
from ace.models.difference import Difference
from ace.models.plan import Quarantine, Rollback
from ace.models.playbook import IN_USE, PlaybookStage
from ace.services.stewardship import MAX_REASON_CHARS
from ace.services.time_travel import TimeTravel

KEPT = "was in quarantine when the playbook was rolled back"


@dataclass(frozen=True, kw_only=True, slots=True)
class RolledBack:
    """The playbook is that of position `to` again. `position` is where its journal is now; one before, it began."""

    to: int
    position: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Rollbacks:
    """The ways back in one store."""

    def __init__(self, store: PlaybookStore, travel: TimeTravel, clock: Clock) -> None:
        self._store, self._travel, self._clock = store, travel, clock

    def preview(self, domain_id: str, to: str) -> Difference:
        """What would change; nothing does. Raises NotFound, InvalidInput."""
        end = self._travel.position(domain_id, to, "to")
        return self._travel.between(domain_id, self._store.head(domain_id).seq, end)

    def roll_back(
        self, domain_id: str, to: str, reason: str, *, key: str | None = None, keep_quarantined: bool = False
    ) -> RolledBack:
        """Do it; with an idempotency `key` a second time changes nothing.

        `keep_quarantined`: what is in quarantine now is so afterwards, in the same commit; else it is as it was then.

        Raises NotFound, InvalidInput, Conflict when the key was used for another request.
        """
        check_text("reason", reason, MAX_REASON_CHARS)
        position, request = self._travel.position(domain_id, to, "to"), digest(canonical(["rollback", to, reason]))
        quarantined = self._quarantined(domain_id) if keep_quarantined else []
        with self._store.transaction(domain_id) as transaction:
            if key and (answer := transaction.recall(key, request)) is not None:
                return RolledBack(**answer)
            rollback = Rollback(to=position, reason=reason)
            (entry,) = transaction.apply([rollback], vectors={}, now=self._clock.now())
            done = RolledBack(to=position, position=entry.seq)
            back = _come_back(transaction, quarantined)
            transaction.apply([Quarantine(bullet_id=own, reason=KEPT) for own in back], vectors={},
                              now=self._clock.now())  # fmt: skip
            if key:
                transaction.remember(key, request, done.to_json())
        return done

    def _quarantined(self, domain_id: str) -> list[str]:
        return [bullet.id for bullet in self._store.get_all(domain_id, stage=PlaybookStage.QUARANTINED)]

    def difference(self, domain_id: str, done: RolledBack) -> Difference:
        """What it has changed."""
        return self._travel.between(domain_id, done.position - 1, done.to)


def _come_back(transaction: Transaction, ids: list[str]) -> list[str]:
    """Those of these bullets that are in use."""
    present = transaction.present(ids)
    return [own for own in ids if own in present and present[own].stage in IN_USE]
