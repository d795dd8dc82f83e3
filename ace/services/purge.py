"""Take out of use all that came from one place: an episode, a key, a model, an import. Each can be restored.

What waits for a person from there is turned down in the same commit; a person may reopen it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ace.core.descent import sent_by, tainted, waiting
from ace.core.ports import Clock, EpisodeQueue, PlaybookStore, ReviewQueue
from ace.core.review import decided
from ace.core.validation import check_domain, check_text
from ace.errors import InvalidInput, NotFound
from ace.models.plan import Quarantine
from ace.models.playbook import IN_USE, Bullet
from ace.models.purge import Purged, Suspect, Tainted
from ace.models.review import ReviewItem, ReviewState
from ace.services.stewardship import MAX_REASON_CHARS

PAGE = 500


class Purge:
    """Purges of one store's playbooks, by what its episodes and the bullets' origins tell."""

    def __init__(self, store: PlaybookStore, episodes: EpisodeQueue, reviews: ReviewQueue, clock: Clock) -> None:
        self._store, self._episodes, self._reviews, self._clock = store, episodes, reviews, clock

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
            rejected = partial(_rejected, at=now.timestamp(), reason=f"{reason} (purged: from {suspect})")
            for item_id in found.reviews:
                transaction.decide(item_id, rejected)
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
            reviews=tuple(item.id for item in self._waiting(domain_id) if sent_by(item, suspect, reports)),
            position=self._store.head(domain_id).seq,
        )

    def _waiting(self, domain_id: str) -> Iterator[ReviewItem]:
        """Everything that waits for a person in this domain, a page at a time."""
        after = ""
        while page := self._reviews.list(domain_id, ReviewState.WAITING, PAGE, after):
            yield from page
            after = page[-1].id

    def _check(self, domain_id: str, suspect: Suspect) -> None:
        given = [name for name in ("episode", "principal", "model", "source") if getattr(suspect, name) is not None]
        if len(given) != 1:
            raise InvalidInput("origin", f"{len(given)} are given", "Give one of episode, principal, model, source")
        if self._store.head(check_domain(domain_id)).seq == 0:
            raise NotFound(f"There is no domain {domain_id}.")


def _rejected(item: ReviewItem, *, at: float, reason: str) -> ReviewItem:
    """Turned down, unless a person was quicker."""
    if item.state != ReviewState.WAITING:
        return item
    return decided(item, ReviewState.REJECTED, by="purge", at=at, reason=reason)


def _usable(bullet: Bullet | None) -> bool:
    return bullet is not None and bullet.stage in IN_USE


def _words(one: Tainted, reason: str) -> str:
    return f"{reason} (purged: {one.why})"
