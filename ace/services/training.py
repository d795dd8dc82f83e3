"""Train a playbook: epochs over a training set, in parallel where order does not matter, in order where it does.

    for each epoch           shuffled by seed + epoch
      for each batch         study every task beside each other, here or by workers, with the playbook as the batch
                             found it
                             keep the lessons one after the other
      validate               the best playbook so far is remembered by its journal position
    at the end               the playbook goes back to its best position, unless others wrote to it meanwhile

Everything finished is in the run log before it counts, so a killed run, started again, goes on where it was:
a lesson that was studied is not studied again, one that was merged is not merged again.
Learning online is the same with one epoch, batches of one and nothing to validate on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from ace.core.journal import written_by
from ace.core.ports import Clock, PlaybookStore, RunLog
from ace.core.sampling import batches, shuffled
from ace.models.plan import MergeResult, Outcome, Rollback
from ace.models.run import Answered, Lesson, StepRecord, Validation
from ace.models.task import Task
from ace.services.evaluation import answered
from ace.services.learning import Learner


@dataclass(frozen=True, kw_only=True, slots=True)
class Curriculum:
    """What to train on and how. `batch` tasks are studied beside each other, `workers` at a time."""

    run_id: str
    domain_id: str
    train: tuple[Task, ...]
    validation: tuple[Task, ...] = ()
    epochs: int = 1
    seed: int = 0
    batch: int = 1
    workers: int = 1

    def episode(self, epoch: int, task: Task) -> str:
        return f"{self.run_id}/{epoch}/{task.id}"

    def order(self, epoch: int) -> list[Task]:
        """The tasks of an epoch, in the order they are learned from."""
        return shuffled(self.train, self.seed + epoch)


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationAnswer:
    """One validation task answered, kept so that it is not asked again."""

    epoch: int
    position: int
    task_id: str
    answered: Answered


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """The end: which validation was best, and what was done about it."""

    best: Validation | None
    rolled_back: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Done:
    """What the log held when the run was started: episodes merged, and lessons by episode."""

    steps: set[str]
    lessons: dict[str, Lesson]


Event = StepRecord | Validation | Kept


class Workers(Protocol):
    """Whoever studies tasks elsewhere; see `ace.services.assigning`."""

    def lessons(self, tasks: Sequence[tuple[str, Task]]) -> list[Lesson]:
        """The lesson of each (episode id, task), in order, with the playbook as it is. Raises Outage."""
        ...


class Training:
    """Drives a learner through a curriculum and says what happened, event by event.

    With `workers` the tasks are studied by other processes. A batch is merged when all of it has been studied, in its
    order, so what is learned does not depend on how many there are, nor on which of them is the faster.
    """

    def __init__(
        self, *, learning: Learner, store: PlaybookStore, log: RunLog, clock: Clock, workers: Workers | None = None
    ) -> None:
        self._learning, self._store, self._log, self._clock = learning, store, log, clock
        self._workers = workers

    def run(self, plan: Curriculum) -> Iterator[Event]:
        """Do what is not done yet. Raises BudgetExhausted or Outage; run again to go on."""
        done = _Done(
            steps={record.episode_id for record in self._log.read("steps", StepRecord)},
            lessons={lesson.episode_id: lesson for lesson in self._log.read("lessons", Lesson)},
        )
        with ThreadPoolExecutor(max_workers=plan.workers, thread_name_prefix="ace") as pool:
            for epoch in range(plan.epochs + 1):
                if epoch:
                    yield from self._epoch(plan, epoch, done, pool)
                if plan.validation:
                    yield self._validate(plan, epoch, pool)
        yield self._finish(plan)

    def _epoch(self, plan: Curriculum, epoch: int, done: _Done, pool: ThreadPoolExecutor) -> Iterator[StepRecord]:
        order = plan.order(epoch)
        for number, batch in enumerate(batches(order, plan.batch)):
            todo = [task for task in batch if plan.episode(epoch, task) not in done.steps]
            lessons = self._study(plan, epoch, todo, done, pool)
            for task, lesson in zip(todo, lessons, strict=True):
                step = (epoch - 1) * len(order) + number * plan.batch + batch.index(task) + 1
                yield self._keep(plan, step, epoch, task, lesson)

    def _study(
        self, plan: Curriculum, epoch: int, tasks: Sequence[Task], done: _Done, pool: ThreadPoolExecutor
    ) -> list[Lesson]:
        """The tasks' lessons in their order; those studied before the run was cut off come from the log."""
        if self._workers:
            return self._study_elsewhere(plan, epoch, tasks, done, self._workers)

        def study(task: Task) -> Lesson:
            episode = plan.episode(epoch, task)
            if episode in done.lessons:
                return done.lessons[episode]
            lesson = self._learning.study(plan.domain_id, task, episode_id=episode)
            self._log.append("lessons", lesson)
            return lesson

        return list(pool.map(study, tasks))

    def _study_elsewhere(
        self, plan: Curriculum, epoch: int, tasks: Sequence[Task], done: _Done, workers: Workers
    ) -> list[Lesson]:
        asked = [(plan.episode(epoch, task), task) for task in tasks]
        fresh = workers.lessons([(own, task) for own, task in asked if own not in done.lessons])
        for lesson in fresh:
            self._log.append("lessons", lesson)
        known = done.lessons | {lesson.episode_id: lesson for lesson in fresh}
        return [known[own] for own, _ in asked]

    def _keep(self, plan: Curriculum, step: int, epoch: int, task: Task, lesson: Lesson) -> StepRecord:
        started = self._clock.monotonic()
        result = self._learning.keep(plan.domain_id, lesson)
        seconds = lesson.seconds + self._clock.monotonic() - started
        size = sum(self._store.count_by_stage(plan.domain_id).values())
        record = replace(_step_record(step, epoch, task, lesson, result, size), seconds=seconds)
        self._log.append("steps", record)
        return record

    def _validate(self, plan: Curriculum, epoch: int, pool: ThreadPoolExecutor) -> Validation:
        for earlier in self._log.read("validations", Validation):
            if earlier.epoch == epoch:
                return earlier
        position = self._store.head(plan.domain_id).seq
        known = {a.task_id: a for a in self._log.read("validation_answers", ValidationAnswer) if a.epoch == epoch}

        def answer(task: Task) -> ValidationAnswer:
            if task.id in known:
                return known[task.id]
            episode = f"{plan.run_id}/v{epoch}/{task.id}"
            arm = answered(*self._learning.attempt(plan.domain_id, task, episode_id=episode))
            record = ValidationAnswer(epoch=epoch, position=position, task_id=task.id, answered=arm)
            self._log.append("validation_answers", record)
            return record

        right = sum(bool(record.answered.correct) for record in pool.map(answer, plan.validation))
        validation = Validation(epoch=epoch, position=position, correct=right, n=len(plan.validation))
        self._log.append("validations", validation)
        return validation

    def _finish(self, plan: Curriculum) -> Kept:
        """Keep the best playbook: the earliest of those that did best."""
        finished = self._log.read("finished", Kept)
        if finished:
            return finished[-1]
        validations = self._log.read("validations", Validation)
        best = max(validations, key=lambda v: (v.correct, -v.epoch), default=None)
        kept = Kept(best=best) if best is None else self._go_back(plan, best)
        self._log.append("finished", kept)
        return kept

    def _go_back(self, plan: Curriculum, best: Validation) -> Kept:
        entries = self._store.entries(plan.domain_id, after=best.position)
        if not entries:
            return Kept(best=best, note="the last playbook is the best one")
        if any(entry.kind == "rollback" for entry in entries):
            return Kept(best=best, rolled_back=True, note=f"back at position {best.position}")
        strangers = sum(not written_by(f"{plan.run_id}/", entry.body) for entry in entries)
        if strangers:
            return Kept(
                best=best, note=f"others wrote {strangers} entries after position {best.position}: left as it is"
            )
        reason = f"{plan.run_id}: epoch {best.epoch} validated best ({best.correct}/{best.n})"
        with self._store.transaction(plan.domain_id) as transaction:
            transaction.apply([Rollback(to=best.position, reason=reason)], vectors={}, now=self._clock.now())
        return Kept(best=best, rolled_back=True, note=f"back at position {best.position}")


def _step_record(step: int, epoch: int, task: Task, lesson: Lesson, result: MergeResult, size: int) -> StepRecord:
    trajectory = lesson.trajectory
    return StepRecord(
        step=step,
        epoch=epoch,
        task_id=task.id,
        episode_id=lesson.episode_id,
        question=task.question,
        answer=trajectory.answer,
        expected=task.ground_truth,
        correct=lesson.feedback.correct,
        shown=trajectory.shown,
        cited=trajectory.cited,
        added=result.count(Outcome.ADDED, Outcome.LINKED),
        merged=result.count(Outcome.MERGED, Outcome.REPEATED),
        bullets=size,
        position=result.position,
        usage=lesson.usage,
        latency_s=trajectory.latency_s,
        error=trajectory.error,
    )
