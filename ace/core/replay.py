"""A playbook's state is the sum of its journal: `state = fold(apply, operations)`; nothing else changes it.

The store keeps the same state in tables, for speed. This is what those tables must equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ace.errors import InvalidInput
from ace.models.journal import Entry
from ace.models.plan import (
    Add,
    Increment,
    Operation,
    Promote,
    Quarantine,
    Relate,
    Restore,
    Rollback,
    operation_from_json,
)
from ace.models.playbook import Bullet, Link, PlaybookStage

NEXT_STAGE = MappingProxyType({PlaybookStage.SHADOW: PlaybookStage.STAGING, PlaybookStage.STAGING: PlaybookStage.PROD})


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The bullets by id in order of birth, the contradictions known, and the votes counted (bullet, episode)."""

    bullets: dict[str, Bullet] = field(default_factory=dict)
    links: frozenset[Link] = frozenset()
    votes: frozenset[tuple[str, str]] = frozenset()


def replay(entries: Sequence[Entry]) -> State:
    """The state after these entries, which start at seq 1. Raises InvalidInput for one that cannot follow."""
    return fold([operation_from_json(entry.kind, entry.body) for entry in entries])


def fold(operations: Sequence[Operation]) -> State:
    """The state after these operations, from nothing. A rollback starts again from an earlier prefix."""
    state = State()
    for seq, operation in enumerate(operations):
        if isinstance(operation, Rollback):
            _require(0 <= operation.to <= seq, "rollback", f"there is no position {operation.to} to go back to")
            state = fold(operations[: operation.to])
        else:
            state = apply(state, operation)
    return state


def apply(state: State, operation: Operation) -> State:
    """The state after one operation other than a rollback, which needs the history: see `fold`."""
    match operation:
        case Add(bullet=bullet):
            _require(bullet.id not in state.bullets, "bullet", f"{bullet.id} exists already")
            return _with(state, [bullet])
        case Increment():
            return _increment(state, operation)
        case Relate(link=link):
            _bullet(state, link.left), _bullet(state, link.right)
            return State(bullets=state.bullets, links=state.links | {link}, votes=state.votes)
        case Rollback():
            raise InvalidInput("operation", "a rollback needs the whole journal", "Use fold()")
        case _:
            return _with(state, [staged(_bullet(state, operation.bullet_id), operation)])


def staged(bullet: Bullet, operation: Promote | Quarantine | Restore) -> Bullet:
    """The bullet in its new stage. Raises InvalidInput for a step the table of stages does not have."""
    match operation:
        case Promote(to=to):
            allowed = NEXT_STAGE.get(bullet.stage) == to
        case Quarantine():
            to, allowed = PlaybookStage.QUARANTINED, bullet.stage != PlaybookStage.QUARANTINED
        case Restore():
            to, allowed = PlaybookStage.SHADOW, bullet.stage == PlaybookStage.QUARANTINED
    _require(allowed, "stage", f"{bullet.id} cannot go from {bullet.stage} to {to}")
    return bullet.evolve(stage=to)


def counted(bullet: Bullet, vote: Increment) -> Bullet:
    """The bullet with one episode's vote. Raises InvalidInput for anything but 0 or 1 of each."""
    _require({vote.helpful, vote.harmful} <= {0, 1}, "vote", "an episode counts once")
    return bullet.evolve(
        helpful_count=bullet.helpful_count + vote.helpful, harmful_count=bullet.harmful_count + vote.harmful
    )


def _increment(state: State, vote: Increment) -> State:
    key = (vote.bullet_id, vote.episode_id)
    _require(key not in state.votes, "vote", f"episode {vote.episode_id} has voted on {vote.bullet_id}")
    after = _with(state, [counted(_bullet(state, vote.bullet_id), vote)])
    return State(bullets=after.bullets, links=after.links, votes=after.votes | {key})


def _with(state: State, bullets: Iterable[Bullet]) -> State:
    changed = state.bullets | {bullet.id: bullet for bullet in bullets}
    return State(bullets=changed, links=state.links, votes=state.votes)


def _bullet(state: State, bullet_id: str) -> Bullet:
    _require(bullet_id in state.bullets, "bullet", f"{bullet_id} is not in this domain")
    return state.bullets[bullet_id]


def _require(holds: bool, field_name: str, problem: str) -> None:
    if not holds:
        raise InvalidInput(field_name, problem)
