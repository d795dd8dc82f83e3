"""The Generator that may use tools: think, call a tool, read what it says, until it can answer.

Each of the model's turns is a protected call of its own, so that a turn that is tried again does not repeat the tools
used before it. A turn that cannot be read ends the search, and the answer is drawn from what was found so far.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ace.core.ports import Predict
from ace.errors import UnusableAnswer
from ace.generator import cot_generator
from ace.generator.episode import Answered, Scope, cited_ids, recorded, uncounted
from ace.models.playbook import Context
from ace.models.task import Step, Task, Trajectory


class ReActGenerator:
    """`tools` are functions with type hints and docstrings, which are shown to the model; `max_steps` tool calls."""

    def __init__(
        self,
        *,
        tools: Sequence[Callable[..., Any]],
        predict: Predict,
        lm: Any,
        adapter: Any,
        max_steps: int = 8,
        scope: Scope = uncounted,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tools, self._max_steps = list(tools), max_steps
        self._predict, self._scope, self._clock = predict, scope, clock
        self._settings = {"lm": lm, "adapter": adapter, "trace": None}  # by default DSPy keeps 10,000 calls

    def generate(self, task: Task, context: Context, *, episode_id: str, hint: str = "") -> Trajectory:
        """As `CoTGenerator.generate`; the tool calls are in `Trajectory.steps`."""
        return recorded(
            task, context, episode_id, lambda: self._work(task, context, hint), scope=self._scope, clock=self._clock
        )

    def _work(self, task: Task, context: Context, hint: str) -> Answered:
        import dspy

        from ace.generator.prompts import LAYOUTS, narrowed

        layout = LAYOUTS["full"]
        signature = narrowed(layout.signature, task.options, context.ids)
        agent = dspy.ReAct(signature.delete("reasoning"), tools=self._tools, max_iters=self._max_steps)
        agent.react = _turn(self._protected(agent.react))
        agent.extract = self._protected(dspy.Predict(signature.append("trajectory", dspy.InputField(), type_=str)))
        with dspy.context(**self._settings):
            found = agent(
                context=task.context,
                playbook=layout.render([scored.bullet for scored in context.bullets]),
                hint=hint,
                question=task.question,
            )
        steps = steps_of(found.trajectory)
        thoughts = "\n".join([*(step.thought for step in steps), found.reasoning])
        cited = cited_ids(getattr(found, "cited", ()), thoughts, context.ids)
        return Answered(answer=found.answer, reasoning=found.reasoning, cited=cited, steps=steps)

    def _protected(self, predictor: Any) -> Callable[..., Any]:
        def call(**inputs: Any) -> Any:
            return self._predict(
                predictor,
                circuit_name="generator",
                failure_threshold=cot_generator.failure_threshold,
                recovery_timeout=cot_generator.recovery_timeout,
                **inputs,
            )

        return call


def steps_of(trajectory: Mapping[str, Any]) -> tuple[Step, ...]:
    """DSPy's trajectory (`thought_0`, `tool_name_0`, `tool_args_0`, `observation_0`, `thought_1` …) as steps.

    It need not begin at 0: of a history that grew too long DSPy forgets the oldest steps.
    """
    numbers = [name.removeprefix("thought_") for name in trajectory if name.startswith("thought_")]
    return tuple(
        Step(
            thought=str(trajectory[f"thought_{i}"]),
            tool=str(trajectory[f"tool_name_{i}"]),
            arguments=json.dumps(trajectory[f"tool_args_{i}"], default=str),
            observation=str(trajectory.get(f"observation_{i}", "")),
        )
        for i in numbers
    )


def _turn(call: Callable[..., Any]) -> Callable[..., Any]:
    """A protected turn that speaks to ReAct in its own errors: shorten the history, or stop searching."""

    def turn(**inputs: Any) -> Any:
        from dspy.utils.exceptions import ContextWindowExceededError

        try:
            return call(**inputs)
        except UnusableAnswer as error:
            if isinstance(error.__cause__, ContextWindowExceededError):
                raise error.__cause__ from error
            raise ValueError(str(error)) from error

    return turn
