"""Move the bullets of a domain to the stage their evidence has earned.

What may have to move is read before the domain is held, and decided again under its lock from the votes as they are
then. A bullet takes one step a run. The domain is held for at most CHUNK moves at a time, each time in one
transaction, so that learning goes on beside a run that moves a hundred thousand bullets.
"""

from __future__ import annotations

from collections.abc import Sequence

from ace.core.gates import Gates, moves
from ace.core.ports import Clock, PlaybookStore
from ace.models.playbook import Bullet, PlaybookStage
from ace.models.staging import Advance, Move

CHUNK = 1000
NEVER = 2**31 - 1  # more votes than a counter holds: nothing rises from a stage without a gate
MOVABLE = (PlaybookStage.SHADOW, PlaybookStage.STAGING, PlaybookStage.PROD)


def due(domain_id: str, *, store: PlaybookStore, gates: Gates) -> Advance:
    """What `advance` would do now; nothing is changed."""
    return Advance(domain_id=domain_id, moves=tuple(moves(_ripe(domain_id, store, gates), gates)))


def advance(domain_id: str, *, store: PlaybookStore, gates: Gates, clock: Clock) -> Advance:
    """Promote and quarantine once, one step per bullet; what was done."""
    ripe = _ripe(domain_id, store, gates)
    chunks = (ripe[start : start + CHUNK] for start in range(0, len(ripe), CHUNK))
    done = [move for chunk in chunks for move in _move(domain_id, chunk, store, gates, clock)]
    return Advance(domain_id=domain_id, moves=tuple(done))


def _ripe(domain_id: str, store: PlaybookStore, gates: Gates) -> list[Bullet]:
    return [bullet for stage in MOVABLE for bullet in _ripe_in(domain_id, stage, store, gates)]


def _ripe_in(domain_id: str, stage: PlaybookStage, store: PlaybookStore, gates: Gates) -> list[Bullet]:
    gate = gates.get(stage)
    helpful_min, ratio_min = (gate.helpful_min, gate.ratio_min) if gate else (NEVER, 0.0)
    return store.ripe(domain_id, stage=stage, helpful_min=helpful_min, ratio_min=ratio_min)


def _move(domain_id: str, candidates: Sequence[Bullet], store: PlaybookStore, gates: Gates, clock: Clock) -> list[Move]:
    """The moves of these candidates that are still due once the domain is held, and of none that has moved."""
    with store.transaction(domain_id) as transaction:
        present = transaction.present([bullet.id for bullet in candidates])
        unmoved = [present[b.id] for b in candidates if b.id in present and present[b.id].stage == b.stage]
        made = moves(unmoved, gates)
        transaction.apply([move.operation for move in made], vectors={}, now=clock.now())
    return made
