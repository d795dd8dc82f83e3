"""The Reflector that asks a model what an episode teaches, grounded in whatever the verdict rests on.

A wrong answer may be reflected on in several rounds: reflect, try again with the reflection as a hint, reflect on
that. The lessons of the last reflection count (the hint that worked, or the best informed of those that did not);
a bullet has one vote per episode, the first it was given: later rounds had a hint, the first had only the bullets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from ace.core.ports import Predict
from ace.core.rendering import render_context
from ace.errors import ModelError
from ace.models.insight import Delta
from ace.models.playbook import Bullet
from ace.models.task import Feedback, Task, Trajectory
from ace.reflector.lessons import Retry, attempt_text, hint_from, insights_of, task_text, verdict_text, with_votes

failure_threshold = 5  # outages in a row that open the breaker 'reflector'
recovery_timeout = 60  # seconds until one call may try whether the model is back
MAX_ROUNDS = 5

Scope = Callable[[str], AbstractContextManager[object]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Episode:
    """What one round reflects on."""

    task: Task
    trajectory: Trajectory
    feedback: Feedback
    bullets: Sequence[Bullet]

    @property
    def cited(self) -> list[Bullet]:
        shown = {bullet.id: bullet for bullet in self.bullets}
        return [shown[bullet_id] for bullet_id in self.trajectory.cited if bullet_id in shown]


class GroundedReflector:
    """`lm` and `adapter` are DSPy's; at most `rounds` (1..5) model calls an episode; `scope` counts and names them."""

    def __init__(self, *, predict: Predict, lm: Any, adapter: Any, rounds: int = 1, scope: Scope = nullcontext) -> None:
        import dspy

        from ace.reflector.prompts import Reflect

        self._predict, self._scope = predict, scope
        self._rounds = min(max(rounds, 1), MAX_ROUNDS)
        self._settings = {"lm": lm, "adapter": adapter, "trace": None}  # by default DSPy keeps 10,000 calls
        self._model = str(getattr(lm, "model", "")) or None
        self.predictor = dspy.Predict(Reflect)

    def reflect(
        self,
        task: Task,
        trajectory: Trajectory,
        feedback: Feedback,
        bullets: Sequence[Bullet],
        retry: Retry | None = None,
    ) -> Delta:
        """What the episode teaches; a model that fails teaches nothing, and is logged. Raises Outage and UserError."""
        episode = _Episode(task=task, trajectory=trajectory, feedback=feedback, bullets=bullets)
        delta = Delta(episode_id=trajectory.episode_id, task_id=task.id, model=self._model)
        for number in range(1, self._rounds + 1):
            delta = self._round(delta, episode, number)
            if number == self._rounds or retry is None or not delta.insights or episode.feedback.correct is not False:
                break
            trajectory, feedback = retry(hint_from(delta.insights))
            if feedback.correct:
                break
            episode = replace(episode, trajectory=trajectory, feedback=feedback)
        return delta

    def _round(self, delta: Delta, episode: _Episode, number: int) -> Delta:
        """The delta after one more reflection."""
        try:
            with self._scope(f"{delta.episode_id}/reflector/{number}"):
                found = self._ask(episode)
        except ModelError as error:
            log.warning("reflection_unusable", extra={"episode": delta.episode_id, "reason": str(error)})
            return delta
        cited = [bullet.id for bullet in episode.cited]
        return replace(
            delta,
            insights=insights_of(found.lessons, episode.task, episode.feedback.source),
            votes=with_votes(delta.votes, getattr(found, "tags", {}), cited),
        )

    def _ask(self, episode: _Episode) -> Any:
        import dspy

        from ace.reflector.prompts import reflection

        with dspy.context(**self._settings):
            return self._predict(
                self.predictor,
                circuit_name="reflector",
                failure_threshold=failure_threshold,
                recovery_timeout=recovery_timeout,
                signature=reflection(episode.feedback.source, tuple(bullet.id for bullet in episode.cited)),
                task=task_text(episode.task),
                playbook=render_context(episode.cited),
                attempt=attempt_text(episode.trajectory),
                verdict=verdict_text(episode.feedback),
            )
