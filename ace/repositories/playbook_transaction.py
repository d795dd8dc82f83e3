"""One domain held by one writer: what it may ask, and how operations become journal and tables in one commit."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any

from ace.core import leasing
from ace.core.journal import canonical, timestamp
from ace.core.ports import Vectors
from ace.core.records import to_line
from ace.errors import Conflict, NotFound
from ace.models.assignment import Held, Kept
from ace.models.episode import Claim
from ace.models.journal import Entry, Position
from ace.models.plan import Add, Operation, Rollback
from ace.models.playbook import Bullet
from ace.models.review import ReviewItem
from ace.repositories import changes, rules, statements
from ace.repositories.database import Session
from ace.repositories.episode_rows import containing
from ace.repositories.leased_rows import change_row
from ace.repositories.review_rows import decision_to_row, review_from_row, review_to_rows
from ace.repositories.rows import bullet_from_row, entry_from_row, entry_to_row, listed
from ace.repositories.standing import standing_rows
from ace.repositories.vectors import STORED, pack_added

EVERY = 2**62  # a LIMIT that is none


class PlaybookTransaction:
    """`ace.core.ports.Transaction` over an open database transaction."""

    def __init__(self, session: Session, domain_id: str) -> None:
        self._session, self._domain_id = session, domain_id
        self.head, self._dimensions = self._lock()
        self.entries: list[Entry] = []  # what has been journalled so far

    def voted(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these (bullet_id, episode_id) have been counted already."""
        if not pairs:
            return set()
        episodes = listed({episode_id for _, episode_id in pairs})
        rows = self._session.rows(statements.VOTED, domain_id=self._domain_id, listed=episodes)
        return {(bullet_id, episode_id) for bullet_id, episode_id in rows} & set(pairs)

    def present(self, ids: Collection[str]) -> dict[str, Bullet]:
        """The bullets of these ids that this domain has."""
        if not ids:
            return {}
        rows = self._session.rows(statements.GET_MANY, domain_id=self._domain_id, listed=listed(ids))
        return {row[0]: bullet_from_row(self._domain_id, row) for row in rows}

    def recall(self, key: str, request_hash: str) -> dict[str, Any] | None:
        """The answer stored under an idempotency key; raises Conflict when the request was another."""
        rules.check_name("idempotency key", key)
        found = self._session.rows(statements.RECALL, domain_id=self._domain_id, key=key)
        if not found:
            return None
        stored_hash, answer = found[0]
        if stored_hash != request_hash:
            raise Conflict(f"The key '{key}' was used before for another request. Use a new key.")
        recalled: dict[str, Any] = json.loads(answer)
        return recalled

    def remember(self, key: str, request_hash: str, answer: Mapping[str, Any]) -> None:
        """Keep an answer under an idempotency key. The first answer stays; raises Conflict as `recall` does."""
        if self.recall(key, request_hash) is None:
            self._session.run(statements.REMEMBER, domain_id=self._domain_id, key=key, request_hash=request_hash,
                              answer=canonical(dict(answer)).decode())  # fmt: skip

    def apply(self, operations: Sequence[Operation], *, vectors: Mapping[str, Vectors], now: datetime) -> list[Entry]:
        """Carry out and journal the operations in order. `vectors` maps each added bullet's id to float32[d].

        Raises InvalidInput, with nothing written, for an operation that cannot follow.
        """
        runs, before = list(_runs(operations)), (self.head, self._dimensions)
        try:
            with self._session.savepoint() if len(runs) > 1 else nullcontext():
                entries = [entry for run in runs for entry in self._carry_out(run, vectors, now)]
        except BaseException:
            self.head, self._dimensions = before
            raise
        self.entries += entries
        return entries

    def votes_of(self, principal: str, ids: Collection[str]) -> dict[str, int]:
        """How often a principal's word counts now on each of these bullets."""
        pattern = containing(principal, after='"principal":')
        rows = self._session.rows(statements.VOTES_BY, domain_id=self._domain_id, listed=listed(ids), pattern=pattern)
        return dict(rows)

    def reviews(self, ids: Collection[str]) -> dict[str, ReviewItem]:
        """The review items of these ids that this domain has."""
        rows = self._session.rows(statements.REVIEWS_OF, domain_id=self._domain_id, listed=listed(ids)) if ids else []
        return {row[0]: review_from_row(self._domain_id, row) for row in rows}

    def hold(self, items: Sequence[ReviewItem], *, vectors: Mapping[str, Vectors]) -> None:
        """Put insights into the queue, in the place of what was there by the same id. Raises InvalidInput."""
        self._session.run_many(statements.HOLD, review_to_rows(self._domain_id, items, vectors))

    def decide(self, item_id: str, change: Callable[[ReviewItem], ReviewItem]) -> ReviewItem:
        """Replace an item by what `change` makes of it. Raises NotFound, and what `change` raises."""
        item = self.reviews([item_id]).get(item_id)
        if item is None:
            raise NotFound(f"There is nothing by the id {item_id[:80]} to review in this domain.")
        after = change(item)
        self._session.run(statements.DECIDE, **decision_to_row(after))
        return after

    def finish_episode(self, claim: Claim, result: Mapping[str, Any]) -> None:
        """Mark a claimed episode of this domain DONE in this same commit. Raises LeaseLost."""
        done = leasing.by_holder(claim, partial(leasing.finished, result=canonical(dict(result)).decode()))
        change_row(self._session, statements.EPISODE_QUEUE, self._domain_id, claim.id, done)

    def finish_assignment(self, held: Held, result: Kept) -> None:
        """Mark an assignment of this domain DONE in this same commit. Raises LeaseLost."""
        done = leasing.by_holder(held, partial(leasing.finished, result=to_line(result)))
        change_row(self._session, statements.ASSIGNMENT_QUEUE, self._domain_id, held.id, done)

    def _carry_out(self, run: Sequence[Operation], vectors: Mapping[str, Vectors], now: datetime) -> list[Entry]:
        entries = rules.journalled(self._domain_id, self.head, run, now)
        if isinstance(run[0], Rollback):
            self._go_back(run[0])
        else:
            self._go_on(run, entries, vectors)
        self._session.run_many(statements.JOURNAL, [entry_to_row(entry) for entry in entries])
        self.head = Position(seq=entries[-1].seq, hash=entries[-1].hash)
        self._session.run(statements.MOVE_HEAD, domain_id=self._domain_id, seq=self.head.seq, created_at=timestamp(now),
                          head_hash=self.head.hash, dimensions=self._dimensions)  # fmt: skip
        return entries

    def _go_on(self, run: Sequence[Operation], entries: Sequence[Entry], vectors: Mapping[str, Vectors]) -> None:
        ids = {own for operation in run for own in rules.named(operation)}
        rules.check(run, self.present(ids), self.voted(rules.votes_of(run)))
        added = [operation.bullet.id for operation in run if isinstance(operation, Add)]
        packed = pack_added(added, vectors, self._dimensions)
        self._write(entries, run)
        if packed:
            self._session.run_many(statements.VECTOR, changes.vector_rows(self._domain_id, packed))
            self._dimensions = len(packed[added[0]]) // STORED.itemsize

    def _go_back(self, rollback: Rollback) -> None:
        rules.check_rollback(rollback.to, self.head)
        rows = self._session.rows(statements.ENTRIES, domain_id=self._domain_id, after=0, limit=rollback.to)
        entries = [entry_from_row(self._domain_id, row) for row in rows]
        standing = standing_rows(self._domain_id, entries, rollback.to)
        for clear in statements.CLEAR:
            self._session.run(clear, domain_id=self._domain_id)
        for table, made in standing.items():
            self._session.run_many(statements.STANDING[table], made)

    def _write(self, entries: Sequence[Entry], operations: Sequence[Operation]) -> None:
        made = (change for pair in zip(entries, operations, strict=True) for change in changes.of(*pair))
        for statement, rows in changes.grouped(made).items():
            self._session.run_many(statement, rows)

    def _lock(self) -> tuple[Position, int | None]:
        found = self._session.rows(statements.LOCK, domain_id=self._domain_id)
        if not found:
            new = Position()
            self._session.run(statements.FOUND_DOMAIN, domain_id=self._domain_id, seq=new.seq, head_hash=new.hash,
                              dimensions=None, created_at=None)  # fmt: skip
            found = self._session.rows(statements.LOCK, domain_id=self._domain_id)
        seq, head_hash, dimensions = found[0]
        return Position(seq=seq, hash=head_hash), dimensions


def _runs(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """The operations in stretches: a rollback by itself, the others between rollbacks together."""
    for is_rollback, run in groupby(operations, key=lambda operation: isinstance(operation, Rollback)):
        if is_rollback:
            yield from ([operation] for operation in run)
        else:
            yield list(run)
