"""Rows that workers take for a while, in whatever table they are: find a due one, look at it, change it.

What becomes of a row is decided in `ace.core.leasing`; who gets it: on Postgres the row is locked and rows that others
have locked are passed over, on SQLite the file is held.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields

from ace.core.leasing import Change
from ace.errors import NotFound
from ace.models.episode import EpisodeState, EpisodeStatus
from ace.repositories.database import Database, Session
from ace.repositories.rows import Row, listed
from ace.repositories.statements import LeaseQueue

TAKEN_FROM = (EpisodeState.LEASED, EpisodeState.QUEUED)  # those whose lease ran out have waited longest
_FIELDS = [field.name for field in fields(EpisodeStatus)]


def status_from_row(row: Row) -> EpisodeStatus:
    """A row whose columns are the fields of EpisodeStatus in order."""
    values = dict(zip(_FIELDS, row, strict=True))
    return EpisodeStatus(**values | {"state": EpisodeState(values["state"])})


def any_due(database: Database, queue: LeaseQueue, now: float, domain: str | None) -> bool:
    """Whether there may be one to take; nobody who writes is held up by the question."""
    return any(database.rows(queue.any_due, state=state.value, now=now, domain_id=domain) for state in TAKEN_FROM)


def due(session: Session, queue: LeaseQueue, now: float, domain: str | None) -> EpisodeStatus | None:
    """The first due row, held; None when there is none that another does not hold."""
    for state in TAKEN_FROM:
        rows = session.rows(queue.take_due, state=state.value, now=now, domain_id=domain)
        if rows:
            return status_from_row(rows[0])
    return None


def ended(database: Database, queue: LeaseQueue, domain: str, ids: Collection[str]) -> dict[str, EpisodeStatus]:
    """Those of these rows that are done or dead."""
    rows = database.rows(queue.ended, domain_id=domain, listed=listed(ids)) if ids else []
    return {row[0]: status_from_row(row) for row in rows}


def write_status(session: Session, queue: LeaseQueue, status: EpisodeStatus) -> None:
    session.run(queue.change, **asdict(status) | {"state": status.state.value})


def change_row(session: Session, queue: LeaseQueue, domain_id: str, own: str, change: Change) -> EpisodeStatus:
    """Replace the row's status by `change(status)`. Raises NotFound, and what `change` raises."""
    rows = session.rows(queue.lock, domain_id=domain_id, id=own)
    if not rows:
        raise NotFound(f"There is no {queue.noun} '{own[:200]}' in domain {domain_id[:80]}.")
    status = change(status_from_row(rows[0]))
    write_status(session, queue, status)
    return status
