"""What a store asks of operations before it carries them out, whatever it keeps them in.

The core says which operation may follow which (`core.replay`). Here is the rest: a bullet enters its own domain, in
shadow and without votes; names and texts can be stored and indexed by every database; a rollback goes back to what was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from ace.core import replay
from ace.core.journal import chain
from ace.errors import InvalidInput
from ace.models.journal import Entry, Position
from ace.models.plan import Add, Increment, Observe, Operation, Pairs, Relate, Rollback
from ace.models.playbook import Bullet, PlaybookStage

MAX_NAME = 200  # characters of a bullet's or an episode's id, and of an idempotency key

Votes = Collection[tuple[str, str]]


def named(operation: Operation) -> tuple[str, ...]:
    """The ids of the bullets an operation is about."""
    match operation:
        case Add(bullet=bullet):
            return (bullet.id,)
        case Relate(link=link):
            return (link.left, link.right)
        case Rollback() | Observe():
            return ()
        case _:
            return (operation.bullet_id,)


def votes_of(operations: Iterable[Operation]) -> set[tuple[str, str]]:
    """The (bullet, episode) pairs these operations count."""
    return {(op.bullet_id, op.episode_id) for op in operations if isinstance(op, Increment)}


def check(operations: Iterable[Operation], present: Mapping[str, Bullet], voted: Votes) -> None:
    """May these follow, when `present` and `voted` are what there is of the bullets and votes they name?

    Each is put to the core's rule over the bullets it names alone, so that the cost does not grow with the playbook.
    Raises InvalidInput for the first that cannot follow.
    """
    bullets, votes = dict(present), set(voted)
    for operation in operations:
        around = {own: bullets[own] for own in named(operation) if own in bullets}
        own_votes = frozenset(votes_of([operation]) & votes)
        after = replay.apply(replay.State(bullets=around, votes=own_votes), operation)
        bullets.update(after.bullets)
        votes.update(after.votes)


def admit(domain_id: str, operation: Operation) -> None:
    """Raises InvalidInput for a bullet that may not enter this domain, or for a name or text that cannot be kept."""
    match operation:
        case Add(bullet=bullet):
            _admit_bullet(domain_id, bullet)
        case Increment(episode_id=episode_id):
            check_name("episode_id", episode_id)
        case Observe(observation=observation):
            check_name("episode_id", observation.episode_id)
            _check_texts(observation.principal, *(lot.bullet_id for lot in observation.lots))
        case Pairs(run_id=run_id):
            _check_texts(run_id)
        case Relate():
            pass
        case _:
            _check_texts(operation.reason)


def _admit_bullet(domain_id: str, bullet: Bullet) -> None:
    check_name("bullet", bullet.id)
    origin = bullet.origin
    told = (word for place in origin.foreign for word in (place.id, place.section, *sum(place.details, ())))
    _check_texts(bullet.content, origin.episode_id, origin.task_id, origin.model, *told)
    if bullet.domain_id != domain_id:
        raise InvalidInput("bullet", f"{bullet.id} belongs to domain {bullet.domain_id}, not to {domain_id}")
    if bullet.stage != PlaybookStage.SHADOW or bullet.helpful_count or bullet.harmful_count:
        raise InvalidInput(
            "bullet", f"{bullet.id} does not start in shadow without votes", "Stages and votes are earned"
        )
    if not bullet.content.strip():
        raise InvalidInput("content", f"{bullet.id} says nothing", "Give it some words")


def check_name(field: str, name: str) -> str:
    """The name itself. Raises InvalidInput unless it has 1 to MAX_NAME characters, none of them NUL."""
    _check_texts(name)
    if not 0 < len(name) <= MAX_NAME:
        raise InvalidInput(field, f"has {len(name)} characters", f"Use 1 to {MAX_NAME}")
    return name


def journalled(domain_id: str, head: Position, operations: Sequence[Operation], now: datetime) -> list[Entry]:
    """The entries of these operations after `head`. Raises InvalidInput for what cannot be kept: see `admit`."""
    for operation in operations:
        admit(domain_id, operation)
    try:
        return chain(domain_id, head, operations, now)
    except ValueError as error:  # a lone surrogate, NaN, infinity
        raise InvalidInput("operation", f"cannot be written as JSON: {error}", "Send valid text and numbers") from error


def check_rollback(to: int, head: Position) -> None:
    """Raises InvalidInput unless there has been such a position."""
    if not 0 <= to <= head.seq:
        raise InvalidInput("rollback", f"there is no position {to} to go back to", f"Give 0 to {head.seq}")


def _check_texts(*texts: str | None) -> None:
    if any(text and "\0" in text for text in texts):
        raise InvalidInput("text", "holds a NUL", "Send it without")
