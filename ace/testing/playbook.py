"""The playbook in memory: `ace.core.ports.PlaybookStore` for one process, by the core's rule alone.

The contract tests run on this and on the databases. Bullets, links and votes are `ace.core.replay.State`; a
transaction works on a copy, and the copy takes the original's place when it closes without an error.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from ace.core import leasing, replay
from ace.core.gates import Gate, Verdict, decide
from ace.core.journal import canonical
from ace.core.ports import BulletFilter, Listed, Vectors
from ace.core.records import to_line
from ace.core.validation import check_domain
from ace.errors import Conflict, NotFound
from ace.models.assignment import Held, Kept
from ace.models.episode import Claim, EpisodeStatus
from ace.models.journal import Entry, Position
from ace.models.plan import Add, Increment, Operation, Rollback
from ace.models.playbook import Bullet, Link, PlaybookStage
from ace.models.review import ReviewItem
from ace.repositories import rules
from ace.repositories.review_rows import review_to_rows
from ace.repositories.vector_scan import Page, VectorScan
from ace.repositories.vectors import STORED, pack_added, unpack


@dataclass(frozen=True, kw_only=True)
class _Domain:
    """All there is of one domain, at one moment."""

    state: replay.State = field(default_factory=replay.State)
    operations: tuple[Operation, ...] = ()
    entries: tuple[Entry, ...] = ()
    vectors: Mapping[str, bytes] = field(default_factory=dict)
    answers: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    reviews: Mapping[str, tuple[ReviewItem, bytes]] = field(default_factory=dict)

    @property
    def head(self) -> Position:
        return Position(seq=self.entries[-1].seq, hash=self.entries[-1].hash) if self.entries else Position()


def _fits(bullet: Bullet, wanted: BulletFilter) -> bool:
    stage, section = wanted.stage or bullet.stage, wanted.section or bullet.section
    contained = wanted.text is None or wanted.text.casefold() in bullet.content.casefold()
    return bullet.stage == stage and bullet.section == section and contained


class InMemoryPlaybook:
    """A store that forgets everything with the process. Threads may share it; processes cannot."""

    def __init__(self) -> None:
        self._domains: dict[str, _Domain] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self.episodes: dict[tuple[str, str], EpisodeStatus] = {}  # kept by InMemoryEpisodes, finished by transactions
        self.assignments: dict[tuple[str, str], EpisodeStatus] = {}  # likewise, by InMemoryAssignments
        self.episodes_lock = threading.RLock()

    def domains(self) -> list[str]:
        return sorted(domain_id for domain_id, domain in self._domains.items() if domain.entries)

    def counts(self) -> dict[str, dict[PlaybookStage, int]]:
        return {domain_id: self.count_by_stage(domain_id) for domain_id in self.domains()}

    def page(self, domain_id: str, wanted: BulletFilter, *, limit: int, before: int | None = None) -> list[Listed]:
        born = {entry.body["id"]: entry for entry in self._domain(domain_id).entries if entry.kind == "add"}
        found = (
            Listed(bullet=bullet, born_seq=born[bullet.id].seq, created_at=born[bullet.id].at)
            for bullet in self.get_all(domain_id)
            if _fits(bullet, wanted) and (before is None or born[bullet.id].seq < before)
        )
        return sorted(found, key=lambda one: -one.born_seq)[:limit]

    def history(self, domain_id: str, bullet_id: str) -> list[Entry]:
        about = f'"{bullet_id}"'.encode()
        entries = self._domain(domain_id).entries
        return [entry for entry in entries if entry.kind == "rollback" or about in canonical(entry.body)]

    def head(self, domain_id: str) -> Position:
        return self._domain(domain_id).head

    def get(self, domain_id: str, bullet_id: str) -> Bullet | None:
        return self._domain(domain_id).state.bullets.get(bullet_id)

    def get_many(self, domain_id: str, ids: Sequence[str]) -> list[Bullet]:
        bullets = self._domain(domain_id).state.bullets
        return [bullets[own] for own in ids if own in bullets]

    def get_all(self, domain_id: str, stage: PlaybookStage | None = None) -> list[Bullet]:
        return [bullet for bullet in self._domain(domain_id).state.bullets.values() if stage in (None, bullet.stage)]

    def ripe(self, domain_id: str, *, stage: PlaybookStage, helpful_min: int, ratio_min: float) -> list[Bullet]:
        gates = {stage: Gate(helpful_min=helpful_min, ratio_min=ratio_min)}
        return [b for b in self.get_all(domain_id, stage) if decide(b, gates).verdict != Verdict.STAY]

    def count_by_stage(self, domain_id: str) -> dict[PlaybookStage, int]:
        counted = Counter(bullet.stage for bullet in self.get_all(domain_id))
        return {stage: counted[stage] for stage in PlaybookStage}

    def links(self, domain_id: str) -> set[Link]:
        return set(self._domain(domain_id).state.links)

    def vectors(self, domain_id: str, ids: Sequence[str]) -> Vectors:
        packed = self._domain(domain_id).vectors
        if missing := [own for own in ids if own not in packed]:
            raise NotFound(f"There is no vector of {missing[0]} in domain {domain_id}.")
        return unpack([packed[own] for own in ids])

    def entries(self, domain_id: str, *, after: int = 0, limit: int | None = None) -> list[Entry]:
        entries = self._domain(domain_id).entries[max(after, 0) :]
        return list(entries if limit is None else entries[:limit])

    def reviews(self, domain_id: str) -> Mapping[str, tuple[ReviewItem, bytes]]:
        """What is or was in review, with its vector; `InMemoryReviews` reads it."""
        return self._domain(domain_id).reviews

    def reviewed(self) -> list[str]:
        """The domains that may have something in review."""
        return list(self._domains)

    @contextmanager
    def iter_vectors(self, domain_id: str, *, batch: int = 4096) -> Iterator[VectorScan]:
        """All vectors in pages of at most `batch`, all as of one position."""
        domain = self._domain(domain_id)
        bullets = sorted(domain.state.bullets.values(), key=lambda bullet: bullet.id)
        pages = (_page(domain, bullets[start : start + batch]) for start in range(0, len(bullets), batch))
        yield VectorScan(position=domain.head, count=len(bullets), pages=pages)

    @contextmanager
    def transaction(self, domain_id: str) -> Iterator[_Transaction]:
        """Hold the domain for writing; what was done is there at the end, or nothing when an error passes through."""
        check_domain(domain_id)
        with self._locks[domain_id]:
            transaction = _Transaction(domain_id, self._domain(domain_id))
            yield transaction
            with self.episodes_lock:
                done, tasks = self._finished(transaction), self._done(transaction)
                self.episodes.update(done)
                self.assignments.update(tasks)
                self._domains[domain_id] = transaction.domain

    def _finished(self, transaction: _Transaction) -> dict[tuple[str, str], EpisodeStatus]:
        """What the transaction's episodes become. Raises LeaseLost."""
        changed = {}
        for claim, result in transaction.finished:
            key = (claim.episode.domain_id, claim.episode.id)
            done = leasing.by_holder(claim, partial(leasing.finished, result=result))
            changed[key] = done(self.episodes[key])
        return changed

    def _done(self, transaction: _Transaction) -> dict[tuple[str, str], EpisodeStatus]:
        """What the transaction's assignments become. Raises LeaseLost."""
        changed = {}
        for held, result in transaction.done:
            done = leasing.by_holder(held, partial(leasing.finished, result=result))
            changed[held.domain_id, held.id] = done(self.assignments[held.domain_id, held.id])
        return changed

    def _domain(self, domain_id: str) -> _Domain:
        return self._domains.get(domain_id, _Domain())


class _Transaction:
    """`ace.core.ports.Transaction` over a copy."""

    def __init__(self, domain_id: str, domain: _Domain) -> None:
        self._domain_id, self.domain = domain_id, domain
        self.finished: list[tuple[Claim, str]] = []
        self.done: list[tuple[Held, str]] = []

    @property
    def head(self) -> Position:
        return self.domain.head

    def voted(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        return set(pairs) & self.domain.state.votes

    def present(self, ids: Collection[str]) -> dict[str, Bullet]:
        bullets = self.domain.state.bullets
        return {own: bullets[own] for own in ids if own in bullets}

    def recall(self, key: str, request_hash: str) -> dict[str, Any] | None:
        stored_hash, answer = self.domain.answers.get(rules.check_name("idempotency key", key), (request_hash, None))
        if stored_hash != request_hash:
            raise Conflict(f"The key '{key}' was used before for another request. Use a new key.")
        recalled: dict[str, Any] | None = None if answer is None else json.loads(answer)
        return recalled

    def remember(self, key: str, request_hash: str, answer: Mapping[str, Any]) -> None:
        if self.recall(key, request_hash) is None:
            kept = (request_hash, canonical(dict(answer)))
            self.domain = replace(self.domain, answers={**self.domain.answers, key: kept})

    def votes_of(self, principal: str, ids: Collection[str]) -> dict[str, int]:
        state = self.domain.state
        heard = {
            (op.bullet_id, op.episode_id)
            for op in self.domain.operations
            if isinstance(op, Increment) and op.principal == principal and op.bullet_id in ids
        }
        return dict(Counter(bullet_id for bullet_id, _ in heard & state.votes))

    def reviews(self, ids: Collection[str]) -> dict[str, ReviewItem]:
        return {own: self.domain.reviews[own][0] for own in ids if own in self.domain.reviews}

    def hold(self, items: Sequence[ReviewItem], *, vectors: Mapping[str, Vectors]) -> None:
        rows = review_to_rows(self._domain_id, items, vectors)
        held = {item.id: (item, row["vector"]) for item, row in zip(items, rows, strict=True)}
        self.domain = replace(self.domain, reviews={**self.domain.reviews, **held})

    def decide(self, item_id: str, change: Callable[[ReviewItem], ReviewItem]) -> ReviewItem:
        if item_id not in self.domain.reviews:
            raise NotFound(f"There is nothing by the id {item_id[:80]} to review in this domain.")
        item, vector = self.domain.reviews[item_id]
        after = change(item)
        self.domain = replace(self.domain, reviews={**self.domain.reviews, item_id: (after, vector)})
        return after

    def finish_episode(self, claim: Claim, result: Mapping[str, Any]) -> None:
        """As the port says; the lease is looked at when the transaction closes."""
        self.finished.append((claim, canonical(dict(result)).decode()))

    def finish_assignment(self, held: Held, result: Kept) -> None:
        """As the port says; the lease is looked at when the transaction closes."""
        self.done.append((held, to_line(result)))

    def apply(self, operations: Sequence[Operation], *, vectors: Mapping[str, Vectors], now: datetime) -> list[Entry]:
        """As the port says; raises InvalidInput, with nothing done, for an operation that cannot follow."""
        entries = rules.journalled(self._domain_id, self.head, operations, now)
        done, state = list(self.domain.operations), self.domain.state
        for operation in operations:
            done.append(operation)
            state = replay.fold(done) if isinstance(operation, Rollback) else replay.apply(state, operation)
        added = [operation.bullet.id for operation in operations if isinstance(operation, Add)]
        packed = pack_added(added, vectors, self._size())
        self.domain = replace(
            self.domain,
            state=state,
            operations=tuple(done),
            entries=(*self.domain.entries, *entries),
            vectors={**self.domain.vectors, **packed},
        )
        return entries

    def _size(self) -> int | None:
        return next((len(packed) // STORED.itemsize for packed in self.domain.vectors.values()), None)


def _page(domain: _Domain, bullets: Sequence[Bullet]) -> Page:
    ids = [bullet.id for bullet in bullets]
    return ids, [bullet.stage for bullet in bullets], unpack([domain.vectors[own] for own in ids])
