"""The Reflector that does not reflect: what happened goes to the Curator as it was. What reflection is worth, it shows.

Task: <the question> Attempt: <reasoning and answer> Verdict: <right, wrong, or not known; the truth, where given>
"""

from __future__ import annotations

from collections.abc import Sequence

from ace.core.rendering import one_line
from ace.models.insight import Delta, Insight
from ace.models.playbook import Bullet, Section, SourceClass
from ace.models.task import Feedback, Task, Trajectory
from ace.reflector.lessons import Retry, attempt_text, cut, verdict_text
from ace.reflector.template_reflector import MAX_QUESTION_CHARS, votes_by_outcome


class RawReflector:
    """Every episode is one insight, also one whose outcome nobody knows; a model's failure teaches nothing."""

    def reflect(
        self,
        task: Task,
        trajectory: Trajectory,
        feedback: Feedback,
        bullets: Sequence[Bullet],
        retry: Retry | None = None,
    ) -> Delta:
        """The episode itself, and votes on cited bullets where the verdict is known; no retry."""
        del retry
        return Delta(
            episode_id=trajectory.episode_id,
            task_id=task.id,
            insights=() if trajectory.error else (_episode(task, trajectory, feedback),),
            votes=votes_by_outcome(trajectory, feedback, bullets),
        )


def _episode(task: Task, trajectory: Trajectory, feedback: Feedback) -> Insight:
    question = cut(one_line(task.question), MAX_QUESTION_CHARS)
    attempt, verdict = one_line(attempt_text(trajectory)), one_line(verdict_text(feedback))
    content = f"Task: {question} Attempt: {attempt} Verdict: {verdict}"
    return Insight(content=content, section=Section.EXAMPLE, source=SourceClass.TEMPLATE)
