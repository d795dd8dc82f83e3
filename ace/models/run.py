"""A run: one pass of learning, training or evaluating, as the records its folder holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ace.models.insight import Delta
from ace.models.task import Feedback, Trajectory, Usage


class RunKind(StrEnum):
    """What a run does."""

    LEARN = "learn"  # online: each task once, learning as it goes
    TRAIN = "train"  # offline: epochs over a training set, the best playbook on a validation set kept
    EVAL = "eval"  # paired: each task with and without the playbook, nothing learned


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Where a run stops politely; None means no limit."""

    calls: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What one episode gave, before it is merged; kept so that nothing paid for is asked again."""

    episode_id: str
    trajectory: Trajectory
    feedback: Feedback
    delta: Delta
    usage: Usage = field(default_factory=Usage)  # of the answer and the reflection together
    seconds: float = 0.0  # that both took


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """How the playbook, as of a journal position, did on the validation tasks. Epoch 0 is before learning."""

    epoch: int
    position: int
    correct: int
    n: int

    @property
    def accuracy(self) -> float:
        return self.correct / self.n if self.n else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRecord:
    """One learning step: what was asked, answered, and learned. Written once the step is durable."""

    step: int
    epoch: int
    task_id: str
    episode_id: str
    question: str
    answer: str
    expected: str | None
    correct: bool | None
    shown: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    added: int = 0
    merged: int = 0
    bullets: int = 0  # in the playbook after this step
    position: int = 0  # of the journal after this step
    usage: Usage = field(default_factory=Usage)
    latency_s: float = 0.0  # of the answer
    seconds: float = 0.0  # of the whole step: answer, reflection, merge
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """One arm of a paired evaluation on one task."""

    answer: str
    correct: bool | None
    shown: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    latency_s: float = 0.0
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PairRecord:
    """One task answered without and with the playbook, same model, seed and temperature."""

    task_id: str
    question: str
    expected: str | None
    without: Answered
    with_playbook: Answered


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A share or a difference with its confidence interval, and the number of tasks it rests on."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A paired evaluation in figures; accuracies 0..1, difference -1..1, intervals 95 %."""

    without: Interval
    with_playbook: Interval
    difference: Interval
    wins: int  # right only with the playbook
    losses: int  # right only without
