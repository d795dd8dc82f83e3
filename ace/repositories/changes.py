"""What journal entries do to the tables: statements with their rows, so that each kind is written in one go.

Kinds may be grouped because they commute: a bullet is added before anything happens to it, counters add up, and
the last stage is the one that stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ace.models.journal import Entry
from ace.models.plan import (
    Add,
    Archive,
    Increment,
    Observe,
    Operation,
    Pairs,
    Promote,
    Quarantine,
    Relate,
    Restore,
    Rollback,
)
from ace.models.playbook import PlaybookStage
from ace.repositories import statements
from ace.repositories.rows import bullet_to_row
from ace.repositories.statements import Statement

Change = tuple[Statement, dict[str, Any]]


def of(entry: Entry, operation: Operation) -> list[Change]:
    """What one entry changes in the tables, the journal and the vectors aside."""
    domain = {"domain_id": entry.domain_id}
    match operation:
        case Add(bullet=bullet):
            return [(statements.ADD, bullet_to_row(bullet, entry))]
        case Increment(bullet_id=own, episode_id=episode, helpful=helpful, harmful=harmful):
            return [
                (statements.COUNT_VOTE, {**domain, "id": own, "helpful": helpful, "harmful": harmful}),
                (statements.VOTE, {**domain, "bullet_id": own, "episode_id": episode, "seq": entry.seq}),
            ]
        case Relate(link=link):
            return [(statements.LINK, {**domain, "left_id": link.left, "right_id": link.right, "seq": entry.seq})]
        case Promote(bullet_id=own, to=stage):
            return [_staged(entry, own, stage)]
        case Quarantine(bullet_id=own):
            return [_staged(entry, own, PlaybookStage.QUARANTINED)]
        case Archive(bullet_id=own):
            return [_staged(entry, own, PlaybookStage.ARCHIVED)]
        case Restore(bullet_id=own):
            return [_staged(entry, own, PlaybookStage.SHADOW)]
        case Rollback() | Observe() | Pairs():
            return []


def grouped(changes: Iterable[Change]) -> dict[Statement, list[dict[str, Any]]]:
    """The rows of each statement, in the order the statements must run."""
    order = (statements.ADD, statements.COUNT_VOTE, statements.VOTE, statements.SET_STAGE, statements.LINK)
    rows: dict[Statement, list[dict[str, Any]]] = {statement: [] for statement in order}
    for statement, row in changes:
        rows[statement].append(row)
    return {statement: batch for statement, batch in rows.items() if batch}


def vector_rows(domain_id: str, packed: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The rows of `bullet_vectors`."""
    return [{"domain_id": domain_id, "bullet_id": own, "vector": data} for own, data in packed.items()]


def _staged(entry: Entry, own: str, stage: PlaybookStage) -> Change:
    return statements.SET_STAGE, {"domain_id": entry.domain_id, "id": own, "stage": stage.value}
