"""A simulated world of tasks with planted bullets, so that a promotion policy can be measured: we know who is good.

    kind       effect on success      bullets
    strong     +15 points             40
    weak       +5 points              40
    placebo    none                   200
    harmful    −10 points             40
    poison     −10 points, pushed     10      one caller reports success when it is shown, and buys it votes

An agent without playbook succeeds at `base` of its tasks. Every task has a difficulty of its own; `shared` is how much
of the luck of two runs of the same task is common to both (0: none, the runs are independent). Success is
`difficulty + luck < quantile(base + effects of the bullets shown)`, so a bullet's effect, on average over tasks, is
exactly what was planted. Most reports rest on a test; some on a person or a model, who err (`ERRS`).

All chance comes from (seed, number of the task): nothing a policy does changes the tasks that follow.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from statistics import NormalDist

import numpy as np

from ace.models.playbook import Traffic
from ace.models.simulation import Planted, Report, Stuffed, WorldTask
from ace.models.task import FeedbackSource

KINDS = (
    ("strong", 0.15, 40, False),
    ("weak", 0.05, 40, False),
    ("placebo", 0.0, 200, False),
    ("harmful", -0.10, 40, False),
    ("poison", -0.10, 10, True),
)
ERRS = ((0.70, FeedbackSource.TESTS, 0.0), (0.15, FeedbackSource.HUMAN, 0.05), (0.15, FeedbackSource.JUDGE, 0.20))
"""Share of the reports, what they rest on, and how often that is wrong."""
LIAR = "principal-0"
STUFFED = 5  # votes the liar adds with each of its tasks
PAIRS_A_TASK = 32  # runs prepared for replays
FLOOR, CEILING = 0.02, 0.98


@dataclass(frozen=True, kw_only=True, slots=True)
class Laws:
    """What the world is like."""

    base: float = 0.76
    shared: float = 0.5
    clusters: int = 8
    principals: int = 8
    learning: float = 0.5  # the share of tasks that are learning and trials, not production
    kinds: tuple[tuple[str, float, int, bool], ...] = KINDS


@dataclass(frozen=True, slots=True)
class _Chances:
    """Everything random about one task, drawn at once."""

    difficulty: float
    luck: Sequence[float]
    verifier: float
    mistake: float


class TaskWorld:
    """`ace.models.simulation.World`, from a seed."""

    def __init__(self, seed: int, laws: Laws | None = None) -> None:
        self._seed, self._laws = seed, laws or Laws()
        self._bullets = tuple(
            Planted(id=f"{kind}-{i:03}", kind=kind, effect=effect, pushed=pushed)
            for kind, effect, count, pushed in self._laws.kinds
            for i in range(count)
        )
        self._effects = {bullet.id: bullet.effect for bullet in self._bullets}
        self._pushed = [bullet.id for bullet in self._bullets if bullet.pushed]
        self._ids = [bullet.id for bullet in self._bullets]
        self._chances: dict[int, _Chances] = {}

    @property
    def bullets(self) -> Sequence[Planted]:
        return self._bullets

    def task(self, number: int) -> WorldTask:
        """The task of this number; the one before it is forgotten."""
        laws, rng = self._laws, np.random.default_rng((self._seed, number))
        cluster, principal = int(rng.integers(laws.clusters)), int(rng.integers(laws.principals))
        traffic = Traffic.SHADOW if rng.random() < laws.learning else Traffic.PRODUCTION
        luck = rng.normal(scale=(1.0 - laws.shared) ** 0.5, size=2 * PAIRS_A_TASK + 1)
        difficulty, (verifier, mistake) = rng.normal(scale=laws.shared**0.5), rng.random(2)
        self._chances = {number: _Chances(float(difficulty), luck.tolist(), float(verifier), float(mistake))}
        nearest = [self._ids[i] for i in rng.permutation(len(self._ids)).tolist()]
        return WorldTask(number=number, id=f"task-{number}", cluster=f"cluster-{cluster}", traffic=traffic,
                         principal=f"principal-{principal}", nearest=nearest)  # fmt: skip

    def attempt(self, task: WorldTask, shown: Collection[str]) -> bool:
        return self._succeeds(task, shown, run=2 * PAIRS_A_TASK)

    def report(self, task: WorldTask, shown: Collection[str], success: bool) -> Report:
        """The liar claims a passed test whenever its bullets are shown; the others say what they think they saw."""
        if task.principal == LIAR and self._pushed and any(bullet in self._pushed for bullet in shown):
            return Report(success=True, source=FeedbackSource.TESTS)
        chances = self._chances[task.number]
        reach = accumulate(share for share, _, _ in ERRS)
        source, errs = next((source, errs) for edge, (_, source, errs) in zip(reach, ERRS, strict=True)
                            if chances.verifier < edge or source == ERRS[-1][1])  # fmt: skip
        return Report(success=success != (chances.mistake < errs), source=source)

    def stuffed(self, task: WorldTask) -> Sequence[Stuffed]:
        if task.principal != LIAR or not self._pushed:
            return ()
        chosen = (self._pushed[(task.number + i) % len(self._pushed)] for i in range(STUFFED))
        return [Stuffed(episode_id=f"{task.id}/stuffed-{i}", bullet_id=one) for i, one in enumerate(chosen)]

    def pair(self, task: WorldTask, bullet_id: str, run: int) -> tuple[bool, bool]:
        return self._succeeds(task, (), run=2 * run), self._succeeds(task, (bullet_id,), run=2 * run + 1)

    def _succeeds(self, task: WorldTask, shown: Collection[str], run: int) -> bool:
        chances = self._chances[task.number]
        chance = self._laws.base + sum(self._effects[one] for one in shown)
        return chances.difficulty + chances.luck[run] < _quantile(round(min(max(chance, FLOOR), CEILING), 6))


@cache
def _quantile(chance: float) -> float:
    return NormalDist().inv_cdf(chance)
