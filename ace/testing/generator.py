"""A Generator that answers by a rule: the task and the bullets shown in, the answer out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ace.models.playbook import Bullet, Context
from ace.models.task import Task, Trajectory, Usage

Rule = Callable[[Task, Sequence[Bullet]], str]


class RuleGenerator:
    """`ace.core.ports.Generator` without a model; `asked` counts its calls, and `before` may end them with an error."""

    def __init__(self, rule: Rule, *, before: Callable[[int], None] = lambda _: None) -> None:
        self._rule, self._before, self.asked = rule, before, 0

    def generate(self, task: Task, context: Context, *, episode_id: str) -> Trajectory:
        self._before(self.asked)
        self.asked += 1
        answer = self._rule(task, [scored.bullet for scored in context.bullets])
        return Trajectory(task_id=task.id, episode_id=episode_id, answer=answer, shown=context.ids,
                          usage=Usage(calls=1))  # fmt: skip
