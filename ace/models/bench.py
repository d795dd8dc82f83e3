"""A bench: methods answer the same tasks in the same order, in the settings of the paper, and are compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ace.models.run import Answered, Interval
from ace.models.task import Task, Usage


class Setting(StrEnum):
    """What a method may learn from, and when."""

    OFFLINE = "offline"  # learn from the train part, then answer the test part without learning
    OFFLINE_UNLABELLED = "offline-unlabelled"  # the same, the right answers hidden from the learner
    ONLINE = "online"  # the test part as a stream: answer, then learn from the right answer
    ONLINE_UNLABELLED = "online-unlabelled"  # the same, the right answers hidden from the learner

    @property
    def online(self) -> bool:
        return self.value.startswith("online")

    @property
    def labels(self) -> bool:
        return not self.value.endswith("unlabelled")


class Phase(StrEnum):
    """What an arm does, in this order."""

    TRAIN = "train"  # epochs over the train part
    TEST = "test"  # the test part, nothing is learned
    STREAM = "stream"  # the test part in order, each task learned from once it is answered


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchData:
    """A data set in its parts. `metric` says in words when an answer is right."""

    name: str
    metric: str
    test: tuple[Task, ...]
    train: tuple[Task, ...] = ()
    validation: tuple[Task, ...] = ()
    files: tuple[tuple[str, str], ...] = ()  # name and SHA-256 of each

    @property
    def notices(self) -> tuple[str, ...]:
        """What should be known before figures are believed."""
        seen = {(task.question, task.context) for task in self.train}
        repeated = sum((task.question, task.context) in seen for task in self.test)
        if not repeated:
            return ()
        return (
            f"{repeated} of {len(self.test)} test questions stand in the train part too; remembering answers them.",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One figure of the table, for one seed. A method that learns nothing has no setting."""

    dataset: str
    seed: int
    setting: Setting | None
    method: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One memory, empty at first, and what it goes through. Several cells may look at one arm."""

    dataset: str
    seed: int
    memory: str
    labels: bool
    epochs: int = 0  # 0: no TRAIN phase
    validated: bool = False
    phases: tuple[Phase, ...] = ()

    @property
    def name(self) -> str:
        """Also the id of its playbook's domain."""
        start = f"e{self.epochs}{'v' if self.validated else ''}" if self.epochs else "fresh"
        return f"{self.dataset}.s{self.seed}.{self.memory}.{'labels' if self.labels else 'unlabelled'}.{start}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tested:
    """One test task answered by an arm that learns nothing from it."""

    task_id: str
    answered: Answered


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One test task in one cell, judged by the true answer, whatever the method was allowed to see."""

    dataset: str
    setting: Setting | None
    method: str
    seed: int
    task_id: str
    group: str
    answer: str
    expected: str
    correct: bool
    latency_s: float = 0.0
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What one cell took: to adapt (training, reflection, merging) and to answer the test part."""

    dataset: str
    setting: Setting | None
    method: str
    seed: int
    adapting: Usage = field(default_factory=Usage)
    answering: Usage = field(default_factory=Usage)
    adapting_s: float = 0.0
    answering_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedFigure:
    """A cell by itself."""

    seed: int
    n: int
    accuracy: float
    difference: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A method in one setting on one data set, over all seeds; the difference is to `base`, on the same tasks.

    `wins` and `losses` count groups of tasks that came out better and worse; `p` is their exact sign test.
    """

    accuracy: Interval
    difference: Interval | None = None
    wins: int = 0
    losses: int = 0
    p: float = 1.0
    failed: int = 0
    seeds: tuple[SeedFigure, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchRow:
    """A line of the table. `average` stands where the row has every data set."""

    setting: Setting | None
    method: str
    figures: Mapping[str, Figure]
    average: Figure | None = None
    spending: Mapping[str, Spending] = field(default_factory=dict)
    latency_s: Mapping[str, float] = field(default_factory=dict)  # the median answer's


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchSet:
    """What a run says of a data set: how answers are judged, how many tasks a seed has, and what should be known."""

    name: str
    metric: str
    tasks: int
    files: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchRun:
    """What one run found. `shape` is all that must be equal for its figures to be pooled with another run's."""

    name: str
    model: str
    shape: Mapping[str, Any]
    datasets: tuple[BenchSet, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    outcomes: tuple[Outcome, ...]
    spendings: tuple[Spending, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchTable:
    """All rows, `base` first, then setting by setting. `tasks` is how many answers a full cell has, over all seeds."""

    datasets: tuple[str, ...]
    rows: tuple[BenchRow, ...]
    tasks: Mapping[str, int]
    metrics: Mapping[str, str]
    notices: tuple[str, ...] = ()
