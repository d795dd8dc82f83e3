"""Assignments in memory, beside an `InMemoryPlaybook` whose transactions finish them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from ace.core import leasing
from ace.core.leasing import Change
from ace.core.records import to_line
from ace.models.assignment import Assignment, Held
from ace.models.episode import EpisodeState, EpisodeStatus
from ace.models.run import Lesson
from ace.repositories.assignment_repository import assignment_from_body, assignment_to_row, check_same
from ace.testing.playbook import InMemoryPlaybook


class InMemoryAssignments:
    """`ace.core.ports.AssignmentQueue` for threads of one process, by the core's table alone."""

    def __init__(self, playbook: InMemoryPlaybook) -> None:
        self._statuses, self._lock = playbook.assignments, playbook.episodes_lock
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}

    def assign(self, assignments: Sequence[Assignment]) -> int:
        rows = [assignment_to_row(one) for one in assignments]
        with self._lock:
            for row in rows:
                check_same(self._rows.get((row["domain_id"], row["id"]), row)["body"], row)
            new = sum(self._add(row) for row in rows)
            runs = {(row["domain_id"], row["run_id"]) for row in rows}
            for key, status in self._statuses.items():
                if status.state == EpisodeState.DEAD and self._run(key) in runs:
                    self._statuses[key] = leasing.requeued(status)
        return new

    def claim(self, worker: str, now: float, lease_s: float, domain: str | None = None) -> Held | None:
        with self._lock:
            while due := self._due(now, domain):
                key = due[0].domain_id, due[0].id
                after = self._statuses[key] = leasing.taken(due[0], worker, now, lease_s)
                if after.state == EpisodeState.LEASED:
                    assignment = assignment_from_body(self._rows[key]["body"])
                    return Held(assignment=assignment, worker=worker, attempt=after.attempts)
        return None

    def postpone(self, held: Held, error: str, now: float) -> EpisodeStatus:
        return self._change(held, partial(leasing.postponed, error=error, now=now))

    def release(self, held: Held) -> EpisodeStatus:
        return self._change(held, leasing.released)

    def defer(self, held: Held, reason: str, due_at: float) -> EpisodeStatus:
        return self._change(held, partial(leasing.deferred, reason=reason, due_at=due_at))

    def finish(self, held: Held, lesson: Lesson) -> EpisodeStatus:
        return self._change(held, partial(leasing.finished, result=to_line(lesson)))

    def ended(self, domain: str, ids: Collection[str]) -> Mapping[str, EpisodeStatus]:
        found = {own: self._statuses.get((domain, own)) for own in ids}
        over = (EpisodeState.DONE, EpisodeState.DEAD)
        return {own: status for own, status in found.items() if status and status.state in over}

    def counts(self, domain: str, run_id: str) -> dict[EpisodeState, int]:
        states = [status.state for key, status in self._statuses.items() if self._run(key) == (domain, run_id)]
        return {state: states.count(state) for state in EpisodeState}

    def _add(self, row: dict[str, Any]) -> bool:
        key = row["domain_id"], row["id"]
        if self._rows.setdefault(key, row) is not row:
            return False
        self._statuses[key] = EpisodeStatus(id=row["id"], domain_id=row["domain_id"], state=EpisodeState.QUEUED,
                                            reported_at=row["reported_at"], due_at=row["due_at"])  # fmt: skip
        return True

    def _run(self, key: tuple[str, str]) -> tuple[str, str]:
        return key[0], self._rows[key]["run_id"]

    def _due(self, now: float, domain: str | None) -> Sequence[EpisodeStatus]:
        """The due ones, those whose lease ran out first, then the longest due."""
        states = (EpisodeState.LEASED, EpisodeState.QUEUED)
        due = [one for one in self._statuses.values() if one.state in states and one.due_at <= now]
        mine = [one for one in due if domain in (None, one.domain_id)]
        return sorted(mine, key=lambda s: (states.index(s.state), s.due_at, s.domain_id, s.id))

    def _change(self, held: Held, change: Change) -> EpisodeStatus:
        with self._lock:
            key = held.domain_id, held.id
            after = self._statuses[key] = leasing.by_holder(held, change)(self._statuses[key])
            return after
