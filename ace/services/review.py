"""What a person says of an insight that waits: it is merged, merged in other words, or rejected for good.

    approve              merged like any insight, but nothing holds it back; what it contradicts now is linked
    approve with text    the same with the person's words; where it came from stays on record
    reject               it is not merged, and the same advice is not proposed again
    reopen               a rejection is taken back: it waits again

The bullet's source is then HUMAN, and it starts in SHADOW like every other: approving is no evidence. Decision and
merge are one transaction. An item is decided once: whoever comes second is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ace.core import review
from ace.core.journal import canonical, digest
from ace.core.ports import Clock, PlaybookStore, ReviewQueue, Transaction
from ace.core.review import NOBODY
from ace.core.validation import check_domain, check_text
from ace.curator.semantic_curator import SemanticCurator
from ace.errors import NotFound
from ace.models.insight import Delta
from ace.models.plan import MergeResult
from ace.models.playbook import SourceClass
from ace.models.review import ReviewItem, ReviewState

MAX_REASON_CHARS = 1000


class Reviews:
    """The queue of one store, and the decisions on it. `by` is whoever decides; with a `key` a second time is none."""

    def __init__(self, *, store: PlaybookStore, queue: ReviewQueue, curator: SemanticCurator, clock: Clock) -> None:
        self._store, self._queue, self._curator, self._clock = store, queue, curator, clock

    def list(
        self, domain_id: str, state: ReviewState | None = None, *, limit: int = 100, after: str = ""
    ) -> Sequence[ReviewItem]:
        """Items of a domain, those that came first in front."""
        return self._queue.list(check_domain(domain_id), state, limit, after)

    def counts(self, domain_id: str) -> dict[ReviewState, int]:
        """How many there are in each state."""
        return self._queue.counts(check_domain(domain_id))

    def get(self, domain_id: str, item_id: str) -> ReviewItem:
        """The item. Raises NotFound."""
        found = None if "\0" in item_id else self._queue.get(check_domain(domain_id), item_id)
        if found is None:
            raise NotFound(f"There is nothing by the id {item_id[:80]!r} to review in this domain.")
        return found

    def approve(
        self, domain_id: str, item_id: str, *, by: str, content: str | None = None, key: str | None = None
    ) -> ReviewItem:
        """Merge the insight, in the words of `content` if given. Raises NotFound, Conflict, InvalidInput."""
        item = self.get(domain_id, item_id)
        if key is None:
            review.decided(item, ReviewState.APPROVED, by=by, at=0.0)  # before the work; it is asked again below

        def along(transaction: Transaction, result: MergeResult) -> None:
            (outcome,) = result.outcomes
            transaction.decide(item_id, lambda held: review.decided(
                held, ReviewState.APPROVED, by=by, at=self._now(), reason=None if content is None else "edited",
                bullet_id=outcome.bullet_id,
            ))  # fmt: skip

        delta = _delta(item, content)
        self._curator.apply_delta(delta, domain_id, idempotency_key=_named(key), along=along, policy=NOBODY)
        return self.get(domain_id, item_id)

    def reject(self, domain_id: str, item_id: str, reason: str, *, by: str, key: str | None = None) -> ReviewItem:
        """Turn the insight down. Raises NotFound, Conflict, InvalidInput."""
        change = partial(review.decided, state=ReviewState.REJECTED, by=by, at=self._now(), reason=reason)
        return self._change("reject", domain_id, item_id, reason, change, key)

    def reopen(self, domain_id: str, item_id: str, reason: str, *, by: str, key: str | None = None) -> ReviewItem:
        """Take a rejection back. Raises NotFound, Conflict, InvalidInput."""
        change = partial(review.reopened, by=by, at=self._now(), reason=reason)
        return self._change("reopen", domain_id, item_id, reason, change, key)

    def _change(
        self, word: str, domain_id: str, item_id: str, reason: str, change: Callable[[ReviewItem], ReviewItem],
        key: str | None,
    ) -> ReviewItem:  # fmt: skip
        check_text("reason", reason, MAX_REASON_CHARS)
        item, request = self.get(domain_id, item_id), digest(canonical([word, item_id, reason]))
        with self._store.transaction(domain_id) as transaction:
            if key and transaction.recall(f"review/{key}", request) is not None:
                return item
            done = transaction.decide(item_id, change)
            if key:
                transaction.remember(f"review/{key}", request, {"id": item_id})
        return done

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _delta(item: ReviewItem, content: str | None) -> Delta:
    """The insight as the person has it, from where it came from."""
    if content is not None:
        check_text("content", content)
    words = item.insight.content if content is None else content
    insight = replace(item.insight, content=words, source=SourceClass.HUMAN)
    return Delta(episode_id=item.episode_id, task_id=item.task_id, model=item.model, insights=(insight,),
                 principal=item.principal, shown=item.shown, prompt_hash=item.prompt_hash)  # fmt: skip


def _named(key: str | None) -> str | None:
    return f"review/{key}" if key else None
