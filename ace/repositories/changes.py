"""What journal entries do to the tables: statements with their rows, so that each kind is written in one go.

Kinds may be grouped because they commute: a bullet is added before anything happens to it, counters add up, and
the last stage is the one that stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ace.core import replay
from ace.core.ports import Vectors
from ace.core.replay import State
from ace.errors import InvalidInput
from ace.models.journal import Entry
from ace.models.plan import Add, Increment, Operation, Promote, Quarantine, Relate, Restore, Rollback
from ace.models.playbook import Bullet, PlaybookStage
from ace.repositories import statements
from ace.repositories.rows import bullet_to_row, pack
from ace.repositories.statements import Statement

Change = tuple[Statement, dict[str, Any]]


def named(operation: Operation) -> tuple[str, ...]:
    """The ids of the bullets an operation is about."""
    match operation:
        case Add(bullet=bullet):
            return (bullet.id,)
        case Relate(link=link):
            return (link.left, link.right)
        case Rollback():
            return ()
        case _:
            return (operation.bullet_id,)


def check(
    domain_id: str,
    operations: Iterable[Operation],
    present: Mapping[str, Bullet],
    voted: Collection[tuple[str, str]],
) -> None:
    """May these operations follow? `present` and `voted` are what there is of the bullets and votes they name.

    Each is put to the core's own rule, over the bullets it names alone, so that the cost does not grow with the
    playbook. Raises InvalidInput for the first that cannot follow.
    """
    bullets, votes = dict(present), set(voted)
    for operation in operations:
        if isinstance(operation, Add) and operation.bullet.domain_id != domain_id:
            raise InvalidInput("bullet", f"{operation.bullet.id} belongs to domain {operation.bullet.domain_id}")
        around = {own: bullets[own] for own in named(operation) if own in bullets}
        after = replay.apply(State(bullets=around, votes=frozenset(_vote(operation) & votes)), operation)
        bullets.update(after.bullets)
        votes.update(after.votes)


def votes_of(operations: Iterable[Operation]) -> set[tuple[str, str]]:
    """The (bullet, episode) pairs these operations count."""
    return {pair for operation in operations for pair in _vote(operation)}


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
        case Restore(bullet_id=own):
            return [_staged(entry, own, PlaybookStage.SHADOW)]
        case Rollback():
            return []


def grouped(changes: Iterable[Change]) -> dict[Statement, list[dict[str, Any]]]:
    """The rows of each statement, in the order the statements must run."""
    order = (statements.ADD, statements.COUNT_VOTE, statements.VOTE, statements.SET_STAGE, statements.LINK)
    rows: dict[Statement, list[dict[str, Any]]] = {statement: [] for statement in order}
    for statement, row in changes:
        rows[statement].append(row)
    return {statement: batch for statement, batch in rows.items() if batch}


def vector_rows(
    domain_id: str, operations: Iterable[Operation], vectors: Mapping[str, Vectors]
) -> list[dict[str, Any]]:
    """A row of `bullet_vectors` for each bullet added. Raises InvalidInput when one is missing or unusable."""
    added = [operation.bullet.id for operation in operations if isinstance(operation, Add)]
    missing = [own for own in added if own not in vectors]
    if missing:
        raise InvalidInput("vectors", f"none given for {missing[0]}", "Give one for every bullet added")
    return [{"domain_id": domain_id, "bullet_id": own, "vector": pack(vectors[own])} for own in added]


def one_size(rows: Sequence[dict[str, Any]], size: int | None) -> int | None:
    """The dimensions all these vectors have, which are the domain's. Raises InvalidInput for another size."""
    for row in rows:
        found = len(row["vector"]) // 2
        size = found if size is None else size
        if found != size:
            problem = f"{row['bullet_id']}'s has {found} numbers, this domain's have {size}"
            raise InvalidInput("vectors", problem, "Use the embedding model the domain was learned with")
    return size


def standing(entries: Sequence[Entry], to: int) -> list[Entry]:
    """The entries that make up the state at position `to`: the rolled back ones are left out.

    `entries` start at seq 1. Read from the end: a rollback says where to go on reading.
    """
    kept: list[Entry] = []
    while to > 0:
        entry = entries[to - 1]
        if entry.kind == "rollback":
            to = entry.body["to"]
        else:
            kept.append(entry)
            to -= 1
    return kept[::-1]


def _vote(operation: Operation) -> set[tuple[str, str]]:
    return {(operation.bullet_id, operation.episode_id)} if isinstance(operation, Increment) else set()


def _staged(entry: Entry, own: str, stage: PlaybookStage) -> Change:
    return statements.SET_STAGE, {"domain_id": entry.domain_id, "id": own, "stage": stage.value}
