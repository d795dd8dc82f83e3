"""The Reflector that lets the model try first, and writes the lesson by template when nothing of the model's is fit.

What was written by template says so in its source, so a run's report can tell how often that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ace.models.insight import Delta
from ace.models.playbook import Bullet
from ace.models.task import Feedback, Task, Trajectory
from ace.reflector.grounded_reflector import GroundedReflector
from ace.reflector.lessons import Retry
from ace.reflector.template_reflector import TemplateReflector


class FallbackReflector:
    """The model is asked always, the template steps in when the model has no lesson."""

    def __init__(self, model: GroundedReflector, template: TemplateReflector) -> None:
        self._model, self._template = model, template

    def reflect(
        self,
        task: Task,
        trajectory: Trajectory,
        feedback: Feedback,
        bullets: Sequence[Bullet],
        retry: Retry | None = None,
    ) -> Delta:
        """The model's delta; without a lesson it takes the template's, and its votes when it has none."""
        delta = self._model.reflect(task, trajectory, feedback, bullets, retry)
        if delta.insights:
            return delta
        other = self._template.reflect(task, trajectory, feedback, bullets)
        return replace(delta, insights=other.insights, votes=delta.votes or other.votes, model=other.model)
