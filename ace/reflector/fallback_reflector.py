"""The Reflector that lets the model try first, and writes the lesson by template when nothing of the model's is fit.

What was written by template says so in its source, so a run's report can tell how often that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ace.core.ports import Reflector
from ace.models.insight import Delta
from ace.models.playbook import Bullet
from ace.models.task import Feedback, Task, Trajectory


class FallbackReflector:
    """`first` is asked always, `second` when the first has no lesson."""

    def __init__(self, first: Reflector, second: Reflector) -> None:
        self._first, self._second = first, second

    def reflect(self, task: Task, trajectory: Trajectory, feedback: Feedback, bullets: Sequence[Bullet]) -> Delta:
        """The first's delta; without a lesson, it takes the second's lessons, and its votes when it has none."""
        delta = self._first.reflect(task, trajectory, feedback, bullets)
        if delta.insights:
            return delta
        other = self._second.reflect(task, trajectory, feedback, bullets)
        return replace(delta, insights=other.insights, votes=delta.votes or other.votes, model=other.model)
