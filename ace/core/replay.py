"""A playbook's state is the sum of its journal: `state = fold(apply, operations)`; nothing else changes it.

The store keeps the same state in tables, for speed. This is what those tables must equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ace.errors import InvalidInput
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
    Restage,
    Restore,
    Rollback,
    operation_from_json,
)
from ace.models.playbook import IN_USE, Bullet, Link, PlaybookStage

NEXT_STAGE = MappingProxyType({PlaybookStage.SHADOW: PlaybookStage.STAGING, PlaybookStage.STAGING: PlaybookStage.PROD})


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The bullets by id in order of birth, the contradictions known, and the votes counted (bullet, episode)."""

    bullets: dict[str, Bullet] = field(default_factory=dict)
    links: frozenset[Link] = frozenset()
    votes: frozenset[tuple[str, str]] = frozenset()


class Growing:
    """A state in the making: an operation costs the same however many there were before it."""

    def __init__(self, start: State | None = None) -> None:
        start = start or State()
        self._bullets, self._links, self._votes = dict(start.bullets), set(start.links), set(start.votes)

    def carry_out(self, operation: Operation) -> None:
        """Raises InvalidInput for one that cannot follow; a rollback needs the history: see `fold`."""
        match operation:
            case Add(bullet=bullet):
                _require(bullet.id not in self._bullets, "bullet", f"{bullet.id} exists already")
                self._bullets[bullet.id] = bullet
            case Increment(bullet_id=own, episode_id=episode):
                _require((own, episode) not in self._votes, "vote", f"episode {episode} has voted on {own}")
                self._bullets[own] = counted(self.bullet(own), operation)
                self._votes.add((own, episode))
            case Relate(link=link):
                self.bullet(link.left), self.bullet(link.right)
                self._links.add(link)
            case Observe():
                pass
            case Pairs(bullet_id=own):
                self.bullet(own)
                _require(min(operation.wins, operation.losses, operation.ties) >= 0, "pairs", "are counted from 0")
            case Rollback():
                raise InvalidInput("operation", "a rollback needs the whole journal", "Use fold()")
            case _:
                self._bullets[operation.bullet_id] = staged(self.bullet(operation.bullet_id), operation)

    def state(self) -> State:
        """All of it."""
        return State(bullets=self._bullets, links=frozenset(self._links), votes=frozenset(self._votes))

    def bullet(self, bullet_id: str) -> Bullet:
        """One bullet. Raises InvalidInput."""
        _require(bullet_id in self._bullets, "bullet", f"{bullet_id} is not in this domain")
        return self._bullets[bullet_id]


def replay(entries: Sequence[Entry]) -> State:
    """The state after these entries, which start at seq 1. Raises InvalidInput for one that cannot follow."""
    return fold([operation_from_json(entry.kind, entry.body) for entry in entries])


def carry_on(state: State, entries: Sequence[Entry]) -> State:
    """The state after some more entries. Raises InvalidInput, also for a rollback, which needs the history."""
    growing = Growing(state)
    for entry in entries:
        growing.carry_out(operation_from_json(entry.kind, entry.body))
    return growing.state()


def fold(operations: Sequence[Operation]) -> State:
    """The state after these operations, from nothing. One pass, and one more over what stands for each rollback."""
    growing = Growing()
    for seq, operation in enumerate(operations):
        if isinstance(operation, Rollback):
            _require(0 <= operation.to <= seq, "rollback", f"there is no position {operation.to} to go back to")
            growing = Growing()
            for standing in _standing(operations, operation.to):
                growing.carry_out(standing)
        else:
            growing.carry_out(operation)
    return growing.state()


def apply(state: State, operation: Operation) -> State:
    """The state after one operation other than a rollback, which needs the history: see `fold`."""
    growing = Growing(state)
    growing.carry_out(operation)
    return growing.state()


def _standing(operations: Sequence[Operation], to: int) -> list[Operation]:
    """The operations that make up the state at position `to`. Read from the end: a rollback says where to go on."""
    kept: list[Operation] = []
    while to > 0:
        operation = operations[to - 1]
        if isinstance(operation, Rollback):
            to = operation.to
        else:
            kept.append(operation)
            to -= 1
    return kept[::-1]


def standing(entries: Sequence[Entry], to: int) -> list[Entry]:
    """The entries that make up the state at position `to`: those rolled back are left out.

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


def staged(bullet: Bullet, operation: Restage) -> Bullet:
    """The bullet in its new stage. Raises InvalidInput for a step the table of stages does not have."""
    match operation:
        case Promote(to=to):
            allowed = NEXT_STAGE.get(bullet.stage) == to
        case Quarantine():
            to, allowed = PlaybookStage.QUARANTINED, bullet.stage != PlaybookStage.QUARANTINED
        case Archive():
            to, allowed = PlaybookStage.ARCHIVED, bullet.stage in IN_USE
        case Restore():
            to, allowed = PlaybookStage.SHADOW, bullet.stage not in IN_USE
    _require(allowed, "stage", f"{bullet.id} cannot go from {bullet.stage} to {to}")
    return bullet.evolve(stage=to)


def counted(bullet: Bullet, vote: Increment) -> Bullet:
    """The bullet with one episode's vote. Raises InvalidInput for anything but 0 or 1 of each."""
    _require({vote.helpful, vote.harmful} <= {0, 1}, "vote", "an episode counts once")
    return bullet.evolve(
        helpful_count=bullet.helpful_count + vote.helpful, harmful_count=bullet.harmful_count + vote.harmful
    )


def _require(holds: bool, field_name: str, problem: str) -> None:
    if not holds:
        raise InvalidInput(field_name, problem)
