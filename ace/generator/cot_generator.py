"""The Generator that reasons and answers in one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ace.core.ports import Predict
from ace.generator.episode import Answered, Scope, cited_ids, recorded, uncounted
from ace.models.playbook import Context
from ace.models.task import Task, Trajectory

failure_threshold = 5  # outages in a row that open the breaker 'generator'
recovery_timeout = 60  # seconds until one call may try whether the model is back


class CoTGenerator:
    """`lm` and `adapter` are DSPy's; `layout` is 'full' or 'terse' (see prompts); `scope` counts and names calls."""

    def __init__(
        self,
        *,
        predict: Predict,
        lm: Any,
        adapter: Any,
        layout: str = "full",
        scope: Scope = uncounted,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import dspy

        from ace.generator.prompts import LAYOUTS

        self._predict, self._scope, self._clock = predict, scope, clock
        self._layout = LAYOUTS[layout]
        self._settings = {"lm": lm, "adapter": adapter, "trace": None}  # by default DSPy keeps 10,000 calls
        self.predictor = dspy.Predict(self._layout.signature)

    def generate(self, task: Task, context: Context, *, episode_id: str, hint: str = "") -> Trajectory:
        """Answer the task with these bullets; `hint` is what a reflection on an earlier try said.

        The model's failure is in `Trajectory.error`. Raises Outage and UserError.
        """
        return recorded(
            task, context, episode_id, lambda: self._answer(task, context, hint), scope=self._scope, clock=self._clock
        )

    def _answer(self, task: Task, context: Context, hint: str) -> Answered:
        import dspy

        from ace.generator.prompts import narrowed

        with dspy.context(**self._settings):
            found = self._predict(
                self.predictor,
                circuit_name="generator",
                failure_threshold=failure_threshold,
                recovery_timeout=recovery_timeout,
                signature=narrowed(self._layout.signature, task.options, context.ids),
                config=self._layout.parameters,
                context=task.context,
                playbook=self._layout.render([scored.bullet for scored in context.bullets]),
                hint=hint,
                question=task.question,
            )
        reasoning = getattr(found, "reasoning", "")
        cited = cited_ids(getattr(found, "cited", ()), reasoning, context.ids)
        return Answered(answer=found.answer, reasoning=reasoning, cited=cited)
