"""The Reflector that needs no model: a checked answer becomes a worked example, in one fixed sentence.

    Question: <the task's question> Answer: <the truth>

For a model that cannot write lessons, and cannot use rules, this is the lesson that works: it lies near the questions
like it, and it can be imitated. Bullets that the answer cited are tagged by the outcome; bullets merely shown are not.
"""

from __future__ import annotations

from collections.abc import Sequence

from ace.core.rendering import one_line
from ace.models.insight import Delta, Insight, Tag, Vote
from ace.models.playbook import Bullet, Section, SourceClass
from ace.models.task import Feedback, FeedbackSource, Task, Trajectory
from ace.reflector.lessons import Retry, cut

MAX_QUESTION_CHARS = 2000


class TemplateReflector:
    """Teaches from ground truth alone; without one it teaches nothing."""

    def reflect(
        self,
        task: Task,
        trajectory: Trajectory,
        feedback: Feedback,
        bullets: Sequence[Bullet],
        retry: Retry | None = None,
    ) -> Delta:
        """One worked example when the truth is known, and votes on cited bullets when the verdict is; no retry."""
        del retry
        return Delta(
            episode_id=trajectory.episode_id,
            task_id=task.id,
            insights=worked_example(task, feedback),
            votes=votes_by_outcome(trajectory, feedback, bullets),
        )


def worked_example(task: Task, feedback: Feedback) -> tuple[Insight, ...]:
    """The lesson, in a tuple of its own, or none. Learned again from another episode, it is confirmed by its truth."""
    if feedback.source != FeedbackSource.GROUND_TRUTH or feedback.expected is None:
        return ()
    question = cut(one_line(task.question), MAX_QUESTION_CHARS)
    content = f"Question: {question} Answer: {one_line(feedback.expected)}"
    return (Insight(content=content, section=Section.EXAMPLE, source=SourceClass.TEMPLATE),)


def votes_by_outcome(trajectory: Trajectory, feedback: Feedback, bullets: Sequence[Bullet]) -> tuple[Vote, ...]:
    """Helpful when the answer was right, harmful when it was wrong; only for bullets shown and cited."""
    if feedback.correct is None:
        return ()
    tag = Tag.HELPFUL if feedback.correct else Tag.HARMFUL
    shown = {bullet.id for bullet in bullets}
    return tuple(Vote(bullet_id=bullet_id, tag=tag) for bullet_id in trajectory.cited if bullet_id in shown)
