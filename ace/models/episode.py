"""An episode: what an agent in production did with one task; reported when known, reflected on when there is time.

QUEUED ──> LEASED ──> DONE
  ▲           │
  └───────────┴──> DEAD   after MAX_ATTEMPTS tries, with the reason; a person may queue it again
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Self

from ace.models.receipt import Receipt
from ace.models.task import AnswerKind, Feedback, FeedbackSource, Step, Task, Trajectory, Usage
from ace.models.trace import Trace


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
    receipt: Receipt | None = None  # of the context it worked with
    trace: Trace | None = None  # what it is made from, where that may still grow

    def to_json(self) -> dict[str, Any]:
        """Without a trace it is what it was before there were traces, so that a repeated report is known."""
        data = asdict(replace(self, trace=None))
        del data["trace"]
        return data | ({"trace": self.trace.to_json()} if self.trace else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse; fields that a later release added are passed over."""
        task, feedback = _known(Task, data["task"]), _known(Feedback, data["feedback"])
        task |= {"kind": AnswerKind(task["kind"]), "options": tuple(task["options"])}
        feedback |= {"source": FeedbackSource(feedback["source"])}
        parts = {"task": Task(**task), "trajectory": _trajectory(data["trajectory"]), "feedback": Feedback(**feedback)}
        receipt = Receipt.from_json(data["receipt"]) if data.get("receipt") else None
        trace = Trace.from_json(data["trace"]) if data.get("trace") else None
        return cls(**_known(cls, data) | parts | {"receipt": receipt, "trace": trace})


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeStatus:
    """How far an episode has come: attempts made, why the last one failed, what the merge did (JSON).

    `due_at`: not before this second is it taken; while leased, when the lease ends. `owner`: the worker that has it.
    """

    id: str
    domain_id: str
    state: EpisodeState
    attempts: int = 0
    error: str | None = None
    result: str | None = None
    reported_at: float = 0.0
    due_at: float = 0.0
    owner: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """An episode in the hands of a worker. Worker and attempt together are the fencing token: no other claim has both,
    so whoever comes too late is told."""

    episode: Episode
    worker: str
    attempt: int

    @property
    def domain_id(self) -> str:
        return self.episode.domain_id

    @property
    def id(self) -> str:
        return self.episode.id


def _trajectory(data: Mapping[str, Any]) -> Trajectory:
    given = _known(Trajectory, data)
    return Trajectory(**given | {
        "cited": tuple(given["cited"]),
        "shown": tuple(given["shown"]),
        "steps": tuple(Step(**_known(Step, step)) for step in given["steps"]),
        "usage": Usage(**_known(Usage, given["usage"])),
    })  # fmt: skip


def _known(kind: type, data: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in data.items() if name in names}
