"""Learn from a task: answer it with the playbook, see what came of it, say what it teaches, merge that.

attempt   retrieve, generate, check          may run beside other attempts
study     reflect                            may run beside other studies
keep      merge                              in order, once per episode however often it is tried
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from ace.core.checking import check
from ace.core.ports import Generator, Meter, Reflector
from ace.curator.semantic_curator import Along, SemanticCurator
from ace.models.plan import MergeResult
from ace.models.playbook import Context, Selection
from ace.models.run import Lesson
from ace.models.task import Feedback, Task, Trajectory
from ace.services.retrieval import Retrieval


class Learner(Protocol):
    """Whoever goes through a curriculum: `Learning`, or what it is compared with."""

    def attempt(self, domain_id: str, task: Task, *, episode_id: str) -> tuple[Context, Trajectory, Feedback]:
        """Answer the task."""
        ...

    def study(self, domain_id: str, task: Task, *, episode_id: str) -> Lesson:
        """Attempt the task and say what it teaches; nothing is kept yet."""
        ...

    def keep(self, domain_id: str, lesson: Lesson) -> MergeResult:
        """Keep the lesson; a second time changes nothing."""
        ...


class Learning:
    """The three roles around one playbook. `k` bullets are shown, or all, of at most `token_budget` tokens."""

    def __init__(
        self,
        *,
        retrieval: Retrieval,
        generator: Generator,
        reflector: Reflector,
        curator: SemanticCurator,
        meter: Meter,
        k: int,
        token_budget: int | None = None,
        selection: Selection = Selection.NEAREST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._retrieval, self._generator, self._reflector = retrieval, generator, reflector
        self._curator, self._meter, self._k, self._token_budget = curator, meter, k, token_budget
        self._selection, self._clock = selection, clock

    def attempt(
        self, domain_id: str, task: Task, *, episode_id: str, playbook: bool = True
    ) -> tuple[Context, Trajectory, Feedback]:
        """Answer the task, with the playbook or without. Raises Outage, BudgetExhausted."""
        k = self._k if playbook else 0
        context = self._retrieval.context(
            domain_id, task.question, k=k, token_budget=self._token_budget, selection=self._selection
        )
        trajectory = self._generator.generate(task, context, episode_id=episode_id)
        return context, trajectory, check(task, trajectory.answer)

    def study(self, domain_id: str, task: Task, *, episode_id: str) -> Lesson:
        """Attempt the task and reflect on what happened; nothing is merged yet."""
        started = self._clock()
        with self._meter.scope("study") as tally:
            context, trajectory, feedback = self.attempt(domain_id, task, episode_id=episode_id)
            bullets = [scored.bullet for scored in context.bullets]
            delta = self._reflector.reflect(task, trajectory, feedback, bullets)
        return Lesson(episode_id=episode_id, trajectory=trajectory, feedback=feedback, delta=delta, usage=tally.usage,
                      seconds=self._clock() - started)  # fmt: skip

    def keep(self, domain_id: str, lesson: Lesson) -> MergeResult:
        """Merge the lesson; a second time changes nothing and returns the first answer."""
        return self._curator.apply_delta(lesson.delta, domain_id, idempotency_key=lesson.episode_id)

    def keep_along(self, domain_id: str, lesson: Lesson, along: Along) -> MergeResult:
        """Merge the lesson, and do `along` in the same transaction: both are kept, or neither."""
        return self._curator.apply_delta(lesson.delta, domain_id, along=along)
