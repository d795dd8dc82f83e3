"""The episodes' table as a lease queue: `ace.core.ports.EpisodeQueue`.

What becomes of a row is decided in `ace.core.leasing`, who gets it in `ace.repositories.leased_rows`. The end of an
episode, DONE, is written by the merge's own transaction (`PlaybookTransaction.finish_episode`), never here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from ace.core import leasing
from ace.core.gathering import Grow, may_grow
from ace.core.leasing import Change
from ace.errors import Conflict, InvalidInput
from ace.models.episode import Claim, Episode, EpisodeState, EpisodeStatus
from ace.models.journal import Position
from ace.models.purge import Report
from ace.repositories import statements
from ace.repositories.database import Database, Session, get_database
from ace.repositories.episode_rows import (
    RECEIPT_USED,
    containing,
    episode_from_body,
    episode_to_row,
    names,
    receipt_row,
    report_from_row,
)
from ace.repositories.leased_rows import any_due, change_row, due, ended, status_from_row, write_status
from ace.repositories.schema import require_head
from ace.repositories.statements import EPISODE_QUEUE

PAGE = 1000  # bodies read at once
GROWN = ("domain_id", "id", "body", "request_hash", "due_at")


class EpisodeRepository:
    """Every reported episode. Without a database: the one the settings name. Raises StoreUnavailable, SchemaMismatch.

    Safe to share between threads; any number of processes may claim beside each other.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database = require_head(database or get_database())

    def report(self, episode: Episode) -> bool:
        """Keep an episode; durable when it returns. False: a repeat. Raises InvalidInput, Conflict."""
        row = episode_to_row(episode)
        with self._database.transaction() as session:
            _found(session, episode.domain_id)
            _use_receipt(session, episode)
            if session.rows(statements.REPORT, **row):
                return True
            ((hashed, _),) = session.rows(statements.REPORTED, domain_id=episode.domain_id, id=episode.id)
            if hashed == row["request_hash"]:
                return False
            if _growing(session, episode.domain_id, episode.id) is None:
                raise Conflict(f"Episode '{episode.id}' was reported before with another body. Use a new id.")
            session.run(statements.GROW, **{name: row[name] for name in GROWN})
            return True

    def gather(self, domain: str, episode_id: str, grow: Grow, due_at: float) -> bool:
        """Keep what `grow` makes of the episode, or of none; False when it may not grow any more."""
        with self._database.transaction() as session:
            _found(session, domain)
            first = grow(None)
            _use_receipt(session, first)
            if session.rows(statements.REPORT, **episode_to_row(first, due_at)):
                return True
            known = _growing(session, domain, episode_id)
            if known is None:
                return False
            row = episode_to_row(grow(known), due_at)
            session.run(statements.GROW, **{name: row[name] for name in GROWN})
            return True

    def claim(self, worker: str, now: float, lease_s: float, domain: str | None = None) -> Claim | None:
        """The longest due episode, leased to this worker; None when none is due."""
        if not any_due(self._database, EPISODE_QUEUE, now, domain):
            return None
        with self._database.transaction() as session:
            while found := due(session, EPISODE_QUEUE, now, domain):
                claim = _take(session, found, worker, now, lease_s)
                if claim:
                    return claim
        return None

    def claim_one(self, worker: str, now: float, lease_s: float, domain: str, episode_id: str) -> Claim | None:
        """This very episode, due or not; None when it is not to be had."""
        with self._database.transaction() as session:
            rows = session.rows(statements.TAKE_EPISODE, domain_id=domain, id=episode_id)
            status = status_from_row(rows[0]) if rows else None
            if status is None or not leasing.may_be_taken(status, now):
                return None
            return _take(session, status, worker, now, lease_s)

    def postpone(self, claim: Claim, error: str, now: float) -> EpisodeStatus:
        """Queued again for later, or dead after the last attempt. Raises LeaseLost."""
        change = leasing.by_holder(claim, partial(leasing.postponed, error=error, now=now))
        return self._change(claim.episode.domain_id, claim.episode.id, change)

    def release(self, claim: Claim) -> EpisodeStatus:
        """Queued again at once, the attempt not counted. Raises LeaseLost."""
        change = leasing.by_holder(claim, leasing.released)
        return self._change(claim.episode.domain_id, claim.episode.id, change)

    def defer(self, claim: Claim, reason: str, due_at: float) -> EpisodeStatus:
        """Queued again for then, the attempt not counted. Raises LeaseLost."""
        change = leasing.by_holder(claim, partial(leasing.deferred, reason=reason, due_at=due_at))
        return self._change(claim.episode.domain_id, claim.episode.id, change)

    def requeue(self, domain: str, episode_id: str) -> EpisodeStatus:
        """Give a dead episode all its attempts again. Raises NotFound, Conflict when it is not dead."""
        return self._change(domain, episode_id, leasing.requeued)

    def get(self, domain: str, episode_id: str) -> Episode | None:
        """The episode as it was reported, or None."""
        rows = self._database.rows(statements.REPORTED, domain_id=domain, id=episode_id)
        return episode_from_body(rows[0][1]) if rows else None

    def status(self, domain: str, episode_id: str) -> EpisodeStatus | None:
        """How far it has come, or None."""
        rows = self._database.rows(statements.EPISODE, domain_id=domain, id=episode_id)
        return status_from_row(rows[0]) if rows else None

    def list(
        self, domain: str, state: EpisodeState | None = None, limit: int = 100, after: str = ""
    ) -> Sequence[EpisodeStatus]:
        """Episodes by id, from the one that follows `after`."""
        kind = None if state is None else state.value
        rows = self._database.rows(statements.EPISODES, domain_id=domain, state=kind, limit=limit, after=after)
        return [status_from_row(row) for row in rows]

    def ended(self, domain: str, ids: Collection[str]) -> Mapping[str, EpisodeStatus]:
        """Those of these episodes that are done or dead."""
        return ended(self._database, EPISODE_QUEUE, domain, ids)

    def naming(self, domain: str, bullet_id: str) -> Sequence[EpisodeStatus]:
        """The episodes that were shown or cited a bullet, by id."""
        rows = self._database.rows(statements.EPISODES_NAMING, domain_id=domain, pattern=containing(bullet_id))
        ids = [own for own, body in rows if names(body, bullet_id)]
        return [status for status in (self.status(domain, own) for own in ids) if status]

    def reports(self, domain: str) -> Sequence[Report]:
        """What every episode of a domain tells about descent, by id."""
        found: list[Report] = []
        while rows := self._database.rows(statements.EPISODE_BODIES, domain_id=domain, limit=PAGE,
                                          after=found[-1].episode_id if found else ""):  # fmt: skip
            found += [report_from_row(row) for row in rows]
        return found

    def counts(self, domain: str | None = None) -> dict[EpisodeState, int]:
        """How many there are in each state (every state is a key)."""
        counted: dict[str, int] = dict(self._database.rows(statements.COUNT_EPISODES, domain_id=domain))
        return {state: counted.get(state.value, 0) for state in EpisodeState}

    def _change(self, domain: str, episode_id: str, change: Change) -> EpisodeStatus:
        with self._database.transaction() as session:
            return change_row(session, EPISODE_QUEUE, domain, episode_id, change)


def _found(session: Session, domain: str) -> None:
    """Make the domain, where it is new."""
    new = Position()
    session.run(statements.FOUND_DOMAIN, domain_id=domain, seq=new.seq, head_hash=new.hash, dimensions=None,
                created_at=None)  # fmt: skip


def _growing(session: Session, domain: str, episode_id: str) -> Episode | None:
    """The episode, held, while it is made from a trace and no worker has had it."""
    status = status_from_row(session.rows(EPISODE_QUEUE.lock, domain_id=domain, id=episode_id)[0])
    ((_, body),) = session.rows(statements.REPORTED, domain_id=domain, id=episode_id)
    known = episode_from_body(body)
    return known if may_grow(status) and known.trace else None


def _use_receipt(session: Session, episode: Episode) -> None:
    """A receipt is good for one episode. Raises Conflict when it was reported with another."""
    if episode.receipt is None:
        return
    used = receipt_row(episode)
    session.run(statements.REMEMBER_FIRST, **used)
    ((kept, _),) = session.rows(statements.RECALL, domain_id=episode.domain_id, key=used["key"])
    if kept != used["request_hash"]:
        raise Conflict(RECEIPT_USED)


def _take(session: Session, status: EpisodeStatus, worker: str, now: float, lease_s: float) -> Claim | None:
    """The claim; None when the episode turned out to be dead, or to be no report this release can read."""
    after, claim = leasing.taken(status, worker, now, lease_s), None
    if after.state == EpisodeState.LEASED:
        rows = session.rows(statements.REPORTED, domain_id=after.domain_id, id=after.id)
        try:
            claim = Claim(episode=episode_from_body(rows[0][1]), worker=worker, attempt=after.attempts)
        except InvalidInput as error:
            after = leasing.postponed(after, str(error), now)
    write_status(session, EPISODE_QUEUE, after)
    return claim
