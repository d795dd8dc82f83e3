"""Tasks that workers do for a run: `ace.core.ports.AssignmentQueue`.

An assignment whose lesson is to be kept ends in the merge's own transaction (`PlaybookTransaction.finish_assignment`);
one whose lesson waits for its run ends here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from ace.core import leasing
from ace.core.leasing import Change
from ace.core.records import from_line, to_line
from ace.core.validation import check_domain
from ace.errors import Conflict, InvalidInput
from ace.models.assignment import Assignment, Held
from ace.models.episode import EpisodeState, EpisodeStatus
from ace.models.journal import Position
from ace.models.run import Lesson
from ace.repositories import rules, statements
from ace.repositories.database import Database, Session, get_database
from ace.repositories.leased_rows import any_due, change_row, due, ended, write_status
from ace.repositories.schema import require_head
from ace.repositories.statements import ASSIGNMENT_QUEUE


class AssignmentRepository:
    """Every assignment. Without a database: the one the settings name. Raises StoreUnavailable, SchemaMismatch.

    Safe to share between threads; any number of processes may claim beside each other.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database = require_head(database or get_database())

    def assign(self, assignments: Sequence[Assignment]) -> int:
        """Keep those that are new, and give the dead ones of the same runs all their attempts again; how many are new.

        Raises InvalidInput, Conflict when an id was assigned with another task.
        """
        runs = {(one.domain_id, one.run_id) for one in assignments}
        with self._database.transaction() as session:
            for domain_id in dict.fromkeys(one.domain_id for one in assignments):
                _found(session, domain_id)
            new = sum(_assigned(session, one) for one in assignments)
            for domain_id, run_id in sorted(runs):
                session.run(statements.ASSIGN_AGAIN, domain_id=domain_id, run_id=run_id)
        return new

    def claim(self, worker: str, now: float, lease_s: float, domain: str | None = None) -> Held | None:
        """The longest due assignment, leased to this worker; None when none is due."""
        if not any_due(self._database, ASSIGNMENT_QUEUE, now, domain):
            return None
        with self._database.transaction() as session:
            while found := due(session, ASSIGNMENT_QUEUE, now, domain):
                held = _take(session, found, worker, now, lease_s)
                if held:
                    return held
        return None

    def postpone(self, held: Held, error: str, now: float) -> EpisodeStatus:
        """Queued again for later, or dead after the last attempt. Raises LeaseLost."""
        return self._change(held, partial(leasing.postponed, error=error, now=now))

    def release(self, held: Held) -> EpisodeStatus:
        """Queued again at once, the attempt not counted. Raises LeaseLost."""
        return self._change(held, leasing.released)

    def defer(self, held: Held, reason: str, due_at: float) -> EpisodeStatus:
        """Queued again for then, the attempt not counted. Raises LeaseLost."""
        return self._change(held, partial(leasing.deferred, reason=reason, due_at=due_at))

    def finish(self, held: Held, lesson: Lesson) -> EpisodeStatus:
        """DONE; the lesson waits for the run that asked. Raises LeaseLost."""
        return self._change(held, partial(leasing.finished, result=to_line(lesson)))

    def ended(self, domain: str, ids: Collection[str]) -> Mapping[str, EpisodeStatus]:
        """Those of these assignments that are done or dead."""
        return ended(self._database, ASSIGNMENT_QUEUE, domain, ids)

    def counts(self, domain: str, run_id: str) -> dict[EpisodeState, int]:
        """How many of a run are in each state (every state is a key)."""
        counted: dict[str, int] = dict(self._database.rows(statements.COUNT_ASSIGNED, domain_id=domain, run_id=run_id))
        return {state: counted.get(state.value, 0) for state in EpisodeState}

    def _change(self, held: Held, change: Change) -> EpisodeStatus:
        with self._database.transaction() as session:
            return change_row(session, ASSIGNMENT_QUEUE, held.domain_id, held.id, leasing.by_holder(held, change))


def assignment_to_row(assignment: Assignment) -> dict[str, Any]:
    """The row of a new assignment. Raises InvalidInput."""
    check_domain(assignment.domain_id)
    rules.check_name("episode_id", assignment.id)
    rules.check_name("run", assignment.run_id)
    return {
        "domain_id": assignment.domain_id,
        "id": assignment.id,
        "run_id": assignment.run_id,
        "state": EpisodeState.QUEUED.value,
        "body": to_line(assignment),
        "attempts": 0,
        "due_at": assignment.reported_at,
        "owner": None,
        "reported_at": assignment.reported_at,
        "result": None,
        "error": None,
    }


def assignment_from_body(body: str) -> Assignment:
    """Raises InvalidInput for what another release wrote and this one cannot read."""
    try:
        return from_line(body, Assignment)
    except ValueError as error:
        raise InvalidInput("assignment", f"cannot be read by this release ({error})", "Upgrade ACE") from error


def check_same(known: str, row: Mapping[str, Any]) -> None:
    """Two assignments are the same when all but their time is. Raises Conflict."""
    first, again = json.loads(known), json.loads(row["body"])
    if first | {"reported_at": 0} != again | {"reported_at": 0}:
        raise Conflict(f"'{row['id']}' was assigned before with another task. Use a new name for the run: --run NAME.")


def _found(session: Session, domain_id: str) -> None:
    new = Position()
    session.run(statements.FOUND_DOMAIN, domain_id=check_domain(domain_id), seq=new.seq, head_hash=new.hash,
                dimensions=None, created_at=None)  # fmt: skip


def _assigned(session: Session, assignment: Assignment) -> bool:
    """Whether it is new."""
    row = assignment_to_row(assignment)
    if session.rows(statements.ASSIGN, **row):
        return True
    ((known,),) = session.rows(statements.ASSIGNED, domain_id=assignment.domain_id, id=assignment.id)
    check_same(known, row)
    return False


def _take(session: Session, status: EpisodeStatus, worker: str, now: float, lease_s: float) -> Held | None:
    """What the worker has now; None when it turned out to be dead, or to be nothing this release can read."""
    after, held = leasing.taken(status, worker, now, lease_s), None
    if after.state == EpisodeState.LEASED:
        ((body,),) = session.rows(statements.ASSIGNED, domain_id=after.domain_id, id=after.id)
        try:
            held = Held(assignment=assignment_from_body(body), worker=worker, attempt=after.attempts)
        except InvalidInput as error:
            after = leasing.postponed(after, str(error), now)
    write_status(session, ASSIGNMENT_QUEUE, after)
    return held
