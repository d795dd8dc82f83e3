"""What a bench has found so far, from its logs alone: every answer judged by the truth, and what each cell took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from ace.core.checking import check
from ace.models.bench import Arm, Cell, Outcome, Phase, Spending, Tested
from ace.models.run import Answered, Lesson, StepRecord
from ace.models.task import Task, Usage
from ace.services.bench_plan import Plan
from ace.services.training import ValidationAnswer


class Records(Protocol):
    """What the log of a phase holds; nothing, where the phase has not begun."""

    def steps(self, arm: Arm, phase: Phase) -> list[StepRecord]: ...

    def lessons(self, arm: Arm, phase: Phase) -> list[Lesson]: ...

    def tested(self, arm: Arm, phase: Phase) -> list[Tested]: ...

    def validated(self, arm: Arm, phase: Phase) -> list[ValidationAnswer]: ...


def found(plan: Plan, records: Records) -> tuple[list[Outcome], list[Spending]]:
    """Every outcome there is, those of a stream in its order, and what each cell cost."""
    outcomes: list[Outcome] = []
    spendings: list[Spending] = []
    for cell in plan.cells():
        arm = plan.arm(cell)
        measured = arm.phases[-1]
        tasks = {task.id: task for task in plan.data(cell.dataset).test}
        answers = list(_answers(arm, measured, records))
        outcomes += [_outcome(cell, tasks[own], answer) for own, answer in answers]
        spendings.append(_spending(cell, arm, records))
    return outcomes, spendings


def right(task: Task, answer: Answered | StepRecord) -> bool:
    """Judged by the truth, whatever the learner was told; an answer that failed is wrong."""
    return answer.error is None and check(task, answer.answer).correct is True


def _answers(arm: Arm, phase: Phase, records: Records) -> Iterator[tuple[str, Answered | StepRecord]]:
    if phase == Phase.STREAM:
        yield from ((step.task_id, step) for step in records.steps(arm, phase))
    else:
        yield from ((one.task_id, one.answered) for one in records.tested(arm, phase))


def _outcome(cell: Cell, task: Task, answer: Answered | StepRecord) -> Outcome:
    return Outcome(
        dataset=cell.dataset,
        setting=cell.setting,
        method=cell.method,
        seed=cell.seed,
        task_id=task.id,
        group=task.group or task.id,
        answer=answer.answer,
        expected=str(task.ground_truth),
        correct=right(task, answer),
        latency_s=answer.latency_s,
        error=answer.error,
    )


def _spending(cell: Cell, arm: Arm, records: Records) -> Spending:
    """Training and validation are adapting; in a stream, all of a step but its answer is."""
    trained, checks = records.steps(arm, Phase.TRAIN), records.validated(arm, Phase.TRAIN)
    adapting = _sum([step.usage for step in trained] + [one.answered.usage for one in checks])
    seconds = sum(step.seconds for step in trained) + sum(one.answered.latency_s for one in checks)
    spent = Spending(dataset=cell.dataset, setting=cell.setting, method=cell.method, seed=cell.seed,
                     adapting=adapting, adapting_s=seconds)  # fmt: skip
    if arm.phases[-1] == Phase.TEST:
        tested = [one.answered for one in records.tested(arm, Phase.TEST)]
        return replace(spent, answering=_sum([one.usage for one in tested]),
                       answering_s=sum(one.latency_s for one in tested))  # fmt: skip
    return _streamed(spent, records.steps(arm, Phase.STREAM), records.lessons(arm, Phase.STREAM))


def _streamed(spent: Spending, steps: Sequence[StepRecord], lessons: Sequence[Lesson]) -> Spending:
    of = {lesson.episode_id: lesson.trajectory.usage for lesson in lessons}
    answering = _sum([of[step.episode_id] for step in steps])
    return replace(
        spent,
        answering=answering,
        answering_s=sum(step.latency_s for step in steps),
        adapting=spent.adapting + _less(_sum([step.usage for step in steps]), answering),
        adapting_s=spent.adapting_s + sum(step.seconds - step.latency_s for step in steps),
    )


def _sum(usages: Sequence[Usage]) -> Usage:
    return sum(usages, Usage())


def _less(one: Usage, other: Usage) -> Usage:
    return Usage(calls=one.calls - other.calls, prompt_tokens=one.prompt_tokens - other.prompt_tokens,
                 cached_tokens=one.cached_tokens - other.cached_tokens,
                 completion_tokens=one.completion_tokens - other.completion_tokens,
                 cost_usd=max(0.0, one.cost_usd - other.cost_usd))  # fmt: skip
