"""The Curator: merges what episodes taught into a domain's playbook. No language model, nothing rewritten.

    embed every insight            outside the lock, once
    find what each is near to      one search over the playbook, one product within the batch
    look twice at the near ones    outside the lock: same advice, opposite advice, or different
    plan, write, journal, hold     under the domain's lock, in one transaction

If another writer added bullets between the search and the lock, the lock is let go and the search done again;
after `MAX_ATTEMPTS` of that the search is done under the lock, so the work always ends.

The numbers below are the operator's to turn, here or by the settings of the same names (`ACE_MAX_BATCH_SIZE` …).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ace.core import validation
from ace.core.deadline import Deadline
from ace.core.journal import canonical, digest
from ace.core.merge import Neighbour, insight_id, plan_merge
from ace.core.ports import (
    Clock,
    Embedder,
    Neighbourhood,
    Pair,
    PlaybookStore,
    ReviewQueue,
    SecondLook,
    Transaction,
    VectorIndex,
    Vectors,
)
from ace.core.review import NOBODY, Known, Policy
from ace.core.similarity import CANDIDATE, Relation
from ace.errors import BatchTooLarge
from ace.models.insight import Delta, Insight
from ace.models.plan import MergePlan, MergeResult
from ace.models.playbook import normalise
from ace.models.review import ReviewMode

MAX_BATCH_SIZE = 100  # deltas (tasks) in one batch_merge; each holds the insights of one episode
BATCH_TIMEOUT_S = 30.0  # total time one batch may take; past it nothing has been written
promotion_helpful_min = 3  # helpful votes a bullet needs to leave SHADOW
promotion_ratio_min = 3.0  # helpful votes per harmful one it needs to leave SHADOW
prod_helpful_min = 5  # helpful votes a bullet needs to enter PROD
prod_ratio_min = 5.0  # helpful votes per harmful one it needs to enter PROD
COSINE_DUPLICATE = 0.8  # the field's usual rule, the whole of it in `cosine` mode
CANDIDATE_COSINE = CANDIDATE  # from here on a pair gets a second look
NEIGHBOURS = 8  # bullets looked at per insight
MAX_ATTEMPTS = 3
LATER = {"principal", "shown", "prompt_hash", "foreign"}  # fields that earlier releases did not have


Along = Callable[[Transaction, MergeResult], None]
"""More to be done in a merge's transaction."""


class CosineRule:
    """The second look of `cosine` mode: near enough is the same. It merges opposites; see docs/adr/0005."""

    def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
        return [Relation.SAME if pair.cosine >= COSINE_DUPLICATE else Relation.DIFFERENT for pair in pairs]


class _Rehearsed(Exception):
    """What was to be done is known, and is taken back."""


class _Moved(Exception):
    """Bullets were added between the search and the lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    """The work at hand: deltas, their insights in order, and each insight's bullet id and vector."""

    domain_id: str
    deltas: Sequence[Delta]
    insights: Sequence[Insight]
    ids: Sequence[str]
    vectors: Vectors
    policy: Policy = NOBODY


class SemanticCurator:
    """Merges deltas into the playbooks of a store. Safe to share between threads and to run in many processes."""

    def __init__(
        self,
        *,
        store: PlaybookStore,
        index: VectorIndex,
        embedder: Embedder,
        second_look: SecondLook,
        clock: Clock,
        reviews: ReviewQueue | None = None,
        policy: Policy = NOBODY,
        max_batch_size: int | None = None,
        batch_timeout_s: float | None = None,
    ) -> None:
        self._store, self._index, self._embedder = store, index, embedder
        self._reviews, self._policy = reviews, policy
        self._second_look, self._clock = second_look, clock
        self._max_batch_size, self._batch_timeout_s = max_batch_size, batch_timeout_s

    def apply_delta(
        self,
        delta: Delta,
        domain_id: str,
        *,
        idempotency_key: str | None = None,
        along: Along | None = None,
        policy: Policy | None = None,
    ) -> MergeResult:
        """Merge what one episode taught. See `batch_merge`."""
        return self.batch_merge([delta], domain_id, idempotency_key=idempotency_key, along=along, policy=policy)

    def batch_merge(
        self,
        task_insights: Sequence[Delta],
        domain_id: str,
        *,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        along: Along | None = None,
        policy: Policy | None = None,
    ) -> MergeResult:
        """Merge the deltas of up to MAX_BATCH_SIZE tasks, in order and in one transaction.

        What waits for a person is the curator's own policy, or `policy`.

        With an `idempotency_key`, doing it again returns the first answer and changes nothing. `along` is called in
        the same transaction once the deltas are written: what it does is kept with them, and when it raises nothing is.
        Raises InvalidInput, BatchTooLarge, Conflict (same key, other deltas), DeadlineExceeded after `timeout`
        seconds, and whatever the embedder or the store raise; in each case nothing has been written.
        """
        seconds = timeout or self._batch_timeout_s or BATCH_TIMEOUT_S
        deadline = Deadline(self._clock, seconds, "batch_merge")
        batch = replace(self._prepare(domain_id, task_insights, deadline), policy=policy or self._policy)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return self._merge(batch, idempotency_key, deadline, along, final=attempt == MAX_ATTEMPTS)
            except _Moved:
                continue
        raise AssertionError("the last attempt searches under the lock and cannot be overtaken")

    def rehearse(self, task_insights: Sequence[Delta], domain_id: str) -> MergeResult:
        """What `batch_merge` would do now. It is done and taken back: nothing is written, counted or logged."""
        told: list[MergeResult] = []

        def stop(_: Transaction, result: MergeResult) -> None:
            told.append(result)
            raise _Rehearsed

        with suppress(_Rehearsed):
            SemanticCurator.batch_merge(self, task_insights, domain_id, along=stop)
        return told[0]

    def batch_merge_chunked(
        self,
        task_insights: Sequence[Delta],
        domain_id: str,
        chunk_size: int = 50,
        *,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> MergeResult:
        """Merge any number of deltas, `chunk_size` at a time; each chunk is its own transaction and has `timeout`.

        When it stops half-way, the chunks before are kept: call it again with the same `idempotency_key`.
        """
        total = MergeResult()
        for start in range(0, len(task_insights), chunk_size):
            key = f"{idempotency_key}/{start}" if idempotency_key else None
            chunk = task_insights[start : start + chunk_size]
            total += self.batch_merge(chunk, domain_id, timeout=timeout, idempotency_key=key)
        return total

    def _prepare(self, domain_id: str, deltas: Sequence[Delta], deadline: Deadline) -> _Batch:
        validation.check_domain(domain_id)
        limit = self._max_batch_size or MAX_BATCH_SIZE
        if len(deltas) > limit:
            raise BatchTooLarge(f"{len(deltas)} tasks in one batch, the limit is {limit}. Use batch_merge_chunked.")
        insights = [insight for delta in deltas for insight in validation.check_delta(delta).insights]
        vectors = self._embedder.embed([normalise(insight.content) for insight in insights])
        deadline.check("embedding the insights")
        ids = [insight_id(domain_id, insight) for insight in insights]
        return _Batch(domain_id=domain_id, deltas=deltas, insights=insights, ids=ids, vectors=vectors)

    def _merge(
        self, batch: _Batch, key: str | None, deadline: Deadline, along: Along | None, *, final: bool
    ) -> MergeResult:
        position, neighbours = (None, {}) if final else self._look(batch, deadline)
        with self._store.transaction(batch.domain_id) as transaction:
            request = digest(canonical([_asked(delta) for delta in batch.deltas]))
            if key and (answer := transaction.recall(key, request)) is not None:
                return MergeResult.from_json(answer)
            if position is None:
                _, neighbours = self._look(batch, deadline)
            elif self._grew(batch.domain_id, position):
                raise _Moved
            deadline.check("waiting for the domain's lock")
            result = self._write(batch, neighbours, transaction)
            if key:
                transaction.remember(key, request, result.to_json())
            if along:
                along(transaction, result)
        return result

    def _write(self, batch: _Batch, neighbours: dict[str, list[Neighbour]], transaction: Transaction) -> MergeResult:
        named = {vote.bullet_id for delta in batch.deltas for vote in delta.votes} | set(batch.ids)
        named |= {near.bullet_id for found in neighbours.values() for near in found}
        episodes = {delta.episode_id for delta in batch.deltas}
        known = self._known(batch, named, transaction)
        present = transaction.present(named | {item.bullet_id for item in known.items.values() if item.bullet_id})
        voted = transaction.voted({(bullet, episode) for bullet in present for episode in episodes})
        plan = plan_merge(batch.domain_id, batch.deltas, neighbours=neighbours, present=present, voted=voted,
                          policy=batch.policy, known=known)  # fmt: skip
        vectors, now = dict(zip(batch.ids, batch.vectors, strict=True)), self._clock.now()
        entries = transaction.apply(plan.operations, vectors=vectors, now=now)
        if plan.held:
            transaction.hold([replace(item, created_at=now.timestamp()) for item in plan.held], vectors=vectors)
        return _result(plan, entries[-1].seq if entries else transaction.head.seq)

    def _known(self, batch: _Batch, named: set[str], transaction: Transaction) -> Known:
        """What the queue holds of the advice named, and how often these deltas' principals were heard on it."""
        items = transaction.reviews(named) if batch.policy.mode != ReviewMode.OFF else {}
        principals = {delta.principal for delta in batch.deltas if delta.principal}
        if not batch.policy.votes_per_principal or not principals:
            return Known(items=items)
        heard = named | {item.bullet_id for item in items.values() if item.bullet_id}
        votes = {(own, by): n for by in principals for own, n in transaction.votes_of(by, heard).items()}
        return Known(items=items, votes=votes)

    def _look(self, batch: _Batch, deadline: Deadline) -> tuple[int, dict[str, list[Neighbour]]]:
        """What each insight is near to, in the playbook and in the batch, and what it is to it."""
        if not batch.insights:
            return self._store.head(batch.domain_id).seq, {}
        found = self._index.nearest(batch.domain_id, batch.vectors, k=NEIGHBOURS)
        deadline.check("searching the playbook")
        near = [*_in_playbook(found), *_in_batch(batch), *self._in_review(batch)]
        relations = self._second_look.judge(
            [Pair(left=batch.insights[c.row].content, right=c.text, cosine=c.cosine) for c in near]
        )
        deadline.check("comparing the insights with their neighbours")
        neighbours: dict[str, list[Neighbour]] = {}
        for candidate, relation in zip(near, relations, strict=True):
            neighbour = Neighbour(bullet_id=candidate.bullet_id, cosine=candidate.cosine, relation=relation)
            neighbours.setdefault(batch.ids[candidate.row], []).append(neighbour)
        return found.position, neighbours

    def _in_review(self, batch: _Batch) -> Iterator[_Candidate]:
        if self._reviews is None or batch.policy.mode == ReviewMode.OFF:
            return
        near = self._reviews.near(batch.domain_id, batch.vectors, floor=CANDIDATE_COSINE, k=NEIGHBOURS)
        for row, found in enumerate(near):
            for item, cosine in found:
                yield _Candidate(row, item.id, item.insight.content, cosine)

    def _grew(self, domain_id: str, position: int) -> bool:
        return any(entry.kind in {"add", "rollback"} for entry in self._store.entries(domain_id, after=position))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A text near enough to the insight in `row` to be looked at twice."""

    row: int
    bullet_id: str
    text: str
    cosine: float


def _in_playbook(found: Neighbourhood) -> Iterator[_Candidate]:
    for row, hits in enumerate(found.hits):
        for hit in hits:
            if hit.similarity >= CANDIDATE_COSINE:
                yield _Candidate(row, hit.bullet.id, hit.bullet.content, hit.similarity)


def _in_batch(batch: _Batch) -> Iterator[_Candidate]:
    """Each insight with each earlier one of the batch that is near it."""
    cosines = batch.vectors @ batch.vectors.T
    for row, earlier in np.argwhere(np.tril(cosines, -1) >= CANDIDATE_COSINE).tolist():
        yield _Candidate(row, batch.ids[earlier], batch.insights[earlier].content, float(cosines[row, earlier]))


def _asked(delta: Delta) -> dict[str, Any]:
    """What an idempotency key stands for; fields that came later count where they say something."""
    return _said(asdict(delta)) | {"insights": [_said(asdict(insight)) for insight in delta.insights]}


def _said(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value or name not in LATER}


def _result(plan: MergePlan, position: int) -> MergeResult:
    return MergeResult(outcomes=plan.outcomes, operations=len(plan.operations), position=position)
