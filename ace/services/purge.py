"""Take out of use all that came from one place: an episode, a key, a model, an import. Each can be restored."""

from __future__ import annotations

from dataclasses import replace

from ace.core.descent import tainted, waiting
from ace.core.ports import Clock, EpisodeQueue, PlaybookStore
from ace.core.validation import check_domain, check_text
from ace.errors import InvalidInput, NotFound
from ace.models.plan import Quarantine
from ace.models.playbook import IN_USE, Bullet
from ace.models.purge import Purged, Suspect, Tainted
from ace.services.stewardship import MAX_REASON_CHARS


class Purge:
    """Purges of one store's playbooks, by what its episodes and the bullets' origins tell."""

    def __init__(self, store: PlaybookStore, episodes: EpisodeQueue, clock: Clock) -> None:
        self._store, self._episodes, self._clock = store, episodes, clock

    def preview(self, domain_id: str, suspect: Suspect) -> Purged:
        """What `purge` would do; nothing is changed. Raises NotFound, InvalidInput."""
        self._check(domain_id, suspect)
        return self._found(domain_id, suspect)

    def purge(self, domain_id: str, suspect: Suspect, reason: str) -> Purged:
        """Quarantine them, in one commit; a second time there is nothing left to do. Raises as `preview`."""
        check_text("reason", reason, MAX_REASON_CHARS)
        self._check(domain_id, suspect)
        found, now = self._found(domain_id, suspect), self._clock.now()
        with self._store.transaction(domain_id) as transaction:
            present = transaction.present([one.bullet.id for one in found.tainted])
            due = [one for one in found.tainted if _usable(present.get(one.bullet.id))]
            operations = [Quarantine(bullet_id=one.bullet.id, reason=_words(one, reason)) for one in due]
            transaction.apply(operations, vectors={}, now=now)
            return replace(found, tainted=tuple(due), position=transaction.head.seq)

    def _found(self, domain_id: str, suspect: Suspect) -> Purged:
        reports = self._episodes.reports(domain_id)
        every = tainted(self._store.get_all(domain_id), reports, suspect)
        usable = [one for one in every if _usable(one.bullet)]
        return Purged(
            suspect=suspect,
            tainted=tuple(usable),
            already=len(every) - len(usable),
            waiting=waiting(reports, suspect),
            position=self._store.head(domain_id).seq,
        )

    def _check(self, domain_id: str, suspect: Suspect) -> None:
        given = [name for name in ("episode", "principal", "model", "source") if getattr(suspect, name) is not None]
        if len(given) != 1:
            raise InvalidInput("origin", f"{len(given)} are given", "Give one of episode, principal, model, source")
        if self._store.head(check_domain(domain_id)).seq == 0:
            raise NotFound(f"There is no domain {domain_id}.")


def _usable(bullet: Bullet | None) -> bool:
    return bullet is not None and bullet.stage in IN_USE


def _words(one: Tainted, reason: str) -> str:
    return f"{reason} (purged: {one.why})"
