"""What a playbook is compared with: learners that remember question and answer of the tasks behind them, and no more.

nothing       the task alone
nearest       the `k` examples nearest to the task, where a playbook's bullets would stand, the nearest first
everything    all of them, oldest first, in front of the task; see `Everything` for how they are cut
copying       the answer of the nearest example, without a model
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ace.core.checking import check
from ace.core.ports import Embedder, Generator, Meter, Reflector
from ace.core.rendering import estimate_tokens, one_line
from ace.models.insight import Delta
from ace.models.plan import MergeResult
from ace.models.playbook import Bullet, Context, ScoredBullet, Section, bullet_id
from ace.models.run import Lesson, StepRecord
from ace.models.task import Feedback, FeedbackSource, Task, Trajectory
from ace.services.learning import Learning

NO_DOMAIN = "bench"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kit:
    """What a method may build its learner from, for one phase of an arm. Where labels are hidden, no task has a truth.

    `behind` are the steps done so far. `reading`: labelled examples are read, so nobody need answer them.
    """

    tasks: Mapping[str, Task]
    behind: Sequence[tuple[Task, StepRecord]]
    reading: bool
    generator: Generator
    reflector: Reflector
    embedder: Embedder
    meter: Meter
    k: int
    window: int
    playbook: Callable[[Reflector], Learning]


class Memory(Protocol):
    """Examples, and how a task is shown them."""

    def add(self, task: Task, answer: str) -> None:
        """Remember one more."""
        ...

    def shown(self, task: Task) -> tuple[Task, Context]:
        """The task as it is put to the model, and what stands where a playbook's bullets would."""
        ...


class Nothing:
    """Remembers nothing."""

    def add(self, task: Task, answer: str) -> None:
        del task, answer

    def shown(self, task: Task) -> tuple[Task, Context]:
        return task, Context(domain_id=NO_DOMAIN)


class Nearest:
    """The `k` nearest by the cosine of their questions; the same example twice is one."""

    def __init__(self, embedder: Embedder, k: int) -> None:
        self._embedder, self._k = embedder, k
        self._examples: dict[str, str] = {}  # text -> answer, in the order of the vectors
        self._vectors: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []

    def add(self, task: Task, answer: str) -> None:
        text = example(task, answer)
        if text not in self._examples:
            self._vectors.append(self._embedder.embed([task.question])[0])
            self._examples[text] = answer

    def shown(self, task: Task) -> tuple[Task, Context]:
        bullets = tuple(_as_bullet(text, cosine) for text, _, cosine in self._found(task, self._k))
        return task, Context(domain_id=NO_DOMAIN, bullets=bullets)

    def nearest_answer(self, task: Task) -> str:
        """The nearest example's; nothing while there is none."""
        return next((answer for _, answer, _ in self._found(task, 1)), "")

    def _found(self, task: Task, k: int) -> list[tuple[str, str, float]]:
        if not self._examples:
            return []
        cosines = np.stack(self._vectors) @ self._embedder.embed([task.question])[0]
        examples = list(self._examples.items())
        return [(*examples[at], float(cosines[at])) for at in np.argsort(-cosines, kind="stable")[:k].tolist()]


class Everything:
    """All examples, in front of the task's own context, as far as `window` tokens hold them (characters / 4).

    When they no longer fit, the older half goes at once: so the prompt keeps its beginning for a while, and a server's
    prefix cache its use. What is shown is between half the window and all of it.
    """

    def __init__(self, window: int) -> None:
        self._window, self._lines = window, list[str]()

    def add(self, task: Task, answer: str) -> None:
        self._lines.append(example(task, answer))
        if _size(self._lines) > self._window:
            while self._lines and _size(self._lines) > self._window // 2:
                self._lines.pop(0)

    def shown(self, task: Task) -> tuple[Task, Context]:
        history = "\n".join(self._lines)
        told = replace(task, context="\n\n".join(filter(None, (history, task.context))))
        return told, Context(domain_id=NO_DOMAIN)


class Recalling:
    """A learner with one of these memories. What is not labelled is remembered with the answer it was given."""

    def __init__(self, kit: Kit, memory: Memory) -> None:
        self._kit, self._memory = kit, memory
        for task, step in kit.behind:
            self._remember(task, step.expected or step.answer)

    def attempt(self, domain_id: str, task: Task, *, episode_id: str) -> tuple[Context, Trajectory, Feedback]:
        """Answer with what the memory shows."""
        del domain_id
        told, context = self._memory.shown(task)
        trajectory = self._kit.generator.generate(told, context, episode_id=episode_id)
        return context, trajectory, check(task, trajectory.answer)

    def study(self, domain_id: str, task: Task, *, episode_id: str) -> Lesson:
        """Answer, where that is to be done; what happened is all there is to learn."""
        started = time.monotonic()
        if self._kit.reading:
            return _read(task, episode_id)
        with self._kit.meter.scope("study") as tally:
            _, trajectory, feedback = self.attempt(domain_id, task, episode_id=episode_id)
        return Lesson(episode_id=episode_id, trajectory=trajectory, feedback=feedback, usage=tally.usage,
                      delta=Delta(episode_id=episode_id), seconds=time.monotonic() - started)  # fmt: skip

    def keep(self, domain_id: str, lesson: Lesson) -> MergeResult:
        """Remember question and answer."""
        del domain_id
        task = self._kit.tasks[lesson.trajectory.task_id]
        self._remember(task, lesson.feedback.expected or lesson.trajectory.answer)
        return MergeResult()

    def _remember(self, task: Task, answer: str) -> None:
        if answer:
            self._memory.add(task, answer)


class Copying(Recalling):
    """Says what the nearest example says. No model is asked."""

    def __init__(self, kit: Kit) -> None:
        self._nearest = Nearest(kit.embedder, 1)
        super().__init__(kit, self._nearest)

    def attempt(self, domain_id: str, task: Task, *, episode_id: str) -> tuple[Context, Trajectory, Feedback]:
        """Copy."""
        answer = self._nearest.nearest_answer(task)
        trajectory = Trajectory(task_id=task.id, episode_id=episode_id, answer=answer)
        return Context(domain_id=domain_id), trajectory, check(task, answer)


def example(task: Task, answer: str) -> str:
    """A line that can be imitated; the template's lessons read the same."""
    return f"Question: {one_line(task.question)} Answer: {one_line(answer)}"


def _read(task: Task, episode_id: str) -> Lesson:
    """A labelled example, unanswered."""
    feedback = Feedback(correct=None, source=FeedbackSource.GROUND_TRUTH, expected=task.ground_truth)
    trajectory = Trajectory(task_id=task.id, episode_id=episode_id)
    return Lesson(episode_id=episode_id, trajectory=trajectory, feedback=feedback, delta=Delta(episode_id=episode_id))


def _as_bullet(text: str, cosine: float) -> ScoredBullet:
    own = bullet_id(NO_DOMAIN, Section.EXAMPLE, text)
    bullet = Bullet(id=own, domain_id=NO_DOMAIN, content=text, section=Section.EXAMPLE)
    return ScoredBullet(bullet=bullet, similarity=cosine, score=cosine)


def _size(lines: Sequence[str]) -> int:
    return sum(map(estimate_tokens, lines))
