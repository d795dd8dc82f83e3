"""Compare methods on the same tasks: every arm of a plan goes through its phases, arms beside each other.

Law: an arm whose labels are hidden is handed tasks without them, so nothing it does can leak what is right; answers
are judged afterwards, against the tasks as they are. A method answers before it sees a task's label, in every setting.

Each phase has a log of its own, so a killed bench, started again, does only what is not done; an arm's learner is built
again for every phase, from the steps behind it. `concurrency` bounds the tasks that are worked on at one time, over
all arms.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from ace.core.ports import Clock, PlaybookStore, RunLog
from ace.core.sampling import shuffled
from ace.models.bench import Arm, Phase, Tested
from ace.models.plan import MergeResult
from ace.models.playbook import Context
from ace.models.run import Lesson, StepRecord
from ace.models.task import Feedback, Task, Trajectory
from ace.services.bench_learners import Kit
from ace.services.bench_plan import Plan
from ace.services.evaluation import answered
from ace.services.learning import Learner
from ace.services.training import Curriculum, Training

Behind = Sequence[tuple[Task, StepRecord]]


class Room(Protocol):
    """Where arms work: their logs, their playbooks, and the model."""

    store: PlaybookStore
    clock: Clock

    def log(self, arm: Arm, phase: Phase) -> AbstractContextManager[RunLog]:
        """The log of one phase, held by this process."""
        ...

    def steps(self, arm: Arm, phase: Phase) -> list[StepRecord]:
        """What the log of a phase holds, without holding it."""
        ...

    def kit(self, arm: Arm, tasks: Sequence[Task], behind: Behind, *, reading: bool) -> Kit:
        """What a learner of this arm is built from."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """So many more tasks are done."""

    arm: Arm
    phase: Phase
    done: int = 1


class _Halted(Exception):
    """Another arm has met the end."""


class _Turns:
    """A learner that waits for its turn before it works, and stops when all are to stop."""

    def __init__(self, inner: Learner, turn: threading.Semaphore, halt: threading.Event) -> None:
        self._inner, self._turn, self._halt = inner, turn, halt

    def attempt(self, domain_id: str, task: Task, *, episode_id: str) -> tuple[Context, Trajectory, Feedback]:
        with self._turn:
            self._go_on()
            return self._inner.attempt(domain_id, task, episode_id=episode_id)

    def study(self, domain_id: str, task: Task, *, episode_id: str) -> Lesson:
        with self._turn:
            self._go_on()
            return self._inner.study(domain_id, task, episode_id=episode_id)

    def keep(self, domain_id: str, lesson: Lesson) -> MergeResult:
        return self._inner.keep(domain_id, lesson)

    def _go_on(self) -> None:
        if self._halt.is_set():
            raise _Halted


class Benching:
    """One bench. `run` does what is not done yet."""

    def __init__(self, plan: Plan, room: Room, *, concurrency: int = 1) -> None:
        self._plan, self._room, self._concurrency = plan, room, concurrency
        self._turn, self._halt = threading.BoundedSemaphore(concurrency), threading.Event()

    def run(self) -> Iterator[Progress]:
        """Yield as tasks are done. Raises what the first arm to fail raises: BudgetExhausted, Outage; go on by
        running again."""
        news: SimpleQueue[Progress | Future[None]] = SimpleQueue()
        with ThreadPoolExecutor(max_workers=self._concurrency, thread_name_prefix="arm") as pool:
            left = [pool.submit(self._go_through, arm, news.put) for arm in self._plan.arms()]
            for future in left:
                future.add_done_callback(news.put)
            try:
                yield from self._follow(news, len(left))
            finally:
                self._halt.set()

    def _follow(self, news: SimpleQueue[Progress | Future[None]], left: int) -> Iterator[Progress]:
        failed: BaseException | None = None
        while left:
            item = news.get()
            if isinstance(item, Progress):
                yield item
                continue
            left -= 1
            error = item.exception()
            if error is not None and not isinstance(error, _Halted):
                failed = failed or error
                self._halt.set()
        if failed is not None:
            raise failed

    def _go_through(self, arm: Arm, tell: Callable[[Progress], None]) -> None:
        for phase in arm.phases:
            if self._halt.is_set():
                raise _Halted
            with self._room.log(arm, phase) as log:
                learner = _Turns(self._learner(arm, phase), self._turn, self._halt)
                work = self._test if phase == Phase.TEST else self._learn
                work(arm, phase, learner, log, tell)

    def _learner(self, arm: Arm, phase: Phase) -> Learner:
        tasks = self._plan.tasks(arm, phase)
        reading = phase == Phase.TRAIN and arm.labels
        return self._plan.make(arm).make(self._room.kit(arm, tasks, self._behind(arm, phase), reading=reading))

    def _behind(self, arm: Arm, phase: Phase) -> Behind:
        """The steps of this phase and those before it, each with its task."""
        found: list[tuple[Task, StepRecord]] = []
        for earlier in arm.phases[: arm.phases.index(phase) + 1]:
            tasks = {task.id: task for task in self._plan.tasks(arm, earlier)}
            found += [(tasks[step.task_id], step) for step in self._room.steps(arm, earlier)]
        return found

    def _learn(self, arm: Arm, phase: Phase, learner: Learner, log: RunLog, tell: Callable[[Progress], None]) -> None:
        training = Training(learning=learner, store=self._room.store, log=log, clock=self._room.clock)
        held = self._plan.data(arm.dataset).validation if phase == Phase.TRAIN and arm.validated else ()
        plan = Curriculum(
            run_id=f"{arm.name}.{phase}",
            domain_id=arm.name,
            train=self._plan.tasks(arm, phase),
            validation=held,
            epochs=arm.epochs if phase == Phase.TRAIN else 1,
            seed=arm.seed,
        )
        tell(Progress(arm=arm, phase=phase, done=len(log.read("steps", StepRecord))))
        for event in training.run(plan):
            if isinstance(event, StepRecord):
                tell(Progress(arm=arm, phase=phase))

    def _test(self, arm: Arm, phase: Phase, learner: Learner, log: RunLog, tell: Callable[[Progress], None]) -> None:
        known = {record.task_id for record in log.read("answers", Tested)}
        tell(Progress(arm=arm, phase=phase, done=len(known)))

        def answer(task: Task) -> None:
            attempted = learner.attempt(arm.name, task, episode_id=f"{arm.name}.{phase}/1/{task.id}")
            log.append("answers", Tested(task_id=task.id, answered=answered(*attempted)))
            tell(Progress(arm=arm, phase=phase))

        todo = [task for task in shuffled(self._plan.tasks(arm, phase), arm.seed + 1) if task.id not in known]
        with ThreadPoolExecutor(max_workers=self._concurrency, thread_name_prefix="ace") as pool:
            list(pool.map(answer, todo))
