"""An episode: what an agent in production did with one task; reported when known, reflected on when there is time.

QUEUED ──> LEASED ──> DONE
  ▲           │
  └───────────┴──> DEAD   after MAX_ATTEMPTS tries, with the reason; a person may queue it again
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ace.models.task import Feedback, Task, Trajectory


class EpisodeState(StrEnum):
    """Where an episode stands."""

    QUEUED = "queued"  # reported, durable, waiting for a worker
    LEASED = "leased"  # a worker reflects on it; when it dies, the lease runs out and another takes it
    DONE = "done"  # reflected on and merged, in one commit
    DEAD = "dead"  # tried too often; the reason is kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """What was reported; `trajectory.shown` are the bullets of the receipt. `reported_at`: seconds since the epoch."""

    id: str
    domain_id: str
    task: Task
    trajectory: Trajectory
    feedback: Feedback
    principal: str | None = None
    reported_at: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeStatus:
    """How far an episode has come: attempts made, why the last one failed, what the merge did."""

    id: str
    domain_id: str
    state: EpisodeState
    attempts: int = 0
    error: str | None = None
    result: str | None = None
    reported_at: float = 0.0
