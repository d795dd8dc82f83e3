"""An episode as the reflecting model reads it, and what it wrote as it may enter a playbook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from ace.core.rendering import one_line
from ace.models.insight import Insight, Tag, Vote
from ace.models.playbook import Section
from ace.models.task import Feedback, FeedbackSource, Task, Trajectory
from ace.reflector.grounding import refusal

Retry = Callable[[str], tuple[Trajectory, Feedback]]
"""Tries the task again with a hint, and says what came of it."""

MAX_LESSONS = 3
MAX_TASK_CHARS, MAX_ATTEMPT_CHARS = 2000, 2000

# How sure a lesson can be at most, by what the verdict behind it rests on. An unchecked answer's lessons are worth
# half: online learning without labels fell below no playbook at all (arXiv 2510.04618, FiNER).
CONFIDENCE_CAP: Mapping[FeedbackSource, float] = {
    FeedbackSource.GROUND_TRUTH: 1.0,
    FeedbackSource.TESTS: 1.0,
    FeedbackSource.HUMAN: 0.9,
    FeedbackSource.ERROR: 0.8,
    FeedbackSource.ENVIRONMENT: 0.7,
    FeedbackSource.JUDGE: 0.6,
    FeedbackSource.NONE: 0.5,
}


class Written(Protocol):
    """A lesson as a model writes it."""

    section: str
    content: str
    confidence: float


def insights_of(written: Iterable[Written], task: Task, source: FeedbackSource) -> tuple[Insight, ...]:
    """The lessons that may be taken, each once, with a confidence no higher than their ground allows."""
    cap = CONFIDENCE_CAP[source]
    taken = {
        one_line(lesson.content): Insight(
            content=one_line(lesson.content),
            section=Section(lesson.section),
            tag=Tag.NEUTRAL if source == FeedbackSource.NONE else Tag.HELPFUL,
            confidence=min(max(lesson.confidence, 0.0), cap),
        )
        for lesson in written
        if refusal(lesson.content, task) is None
    }
    return tuple(taken.values())[:MAX_LESSONS]


def with_votes(earlier: Sequence[Vote], tags: Mapping[str, str], cited: Sequence[str]) -> tuple[Vote, ...]:
    """The earlier votes and those on cited bullets that have none yet; a bullet the model did not tag gets none."""
    voted = {vote.bullet_id for vote in earlier}
    fresh = [bullet_id for bullet_id in cited if bullet_id in tags and bullet_id not in voted]
    return (*earlier, *(Vote(bullet_id=bullet_id, tag=Tag(tags[bullet_id])) for bullet_id in fresh))


def hint_from(insights: Iterable[Insight]) -> str:
    """The lessons as a hint for another try."""
    return "\n".join(insight.content for insight in insights)


def task_text(task: Task) -> str:
    """The task as the reflection's model reads it: question last, a long context cut in its middle."""
    return cut(f"{task.context}\n{task.question}".strip(), MAX_TASK_CHARS)


def attempt_text(trajectory: Trajectory) -> str:
    """What the agent thought, did and answered."""
    steps = [f"{step.thought}\n{step.tool}({step.arguments}) -> {step.observation}" for step in trajectory.steps]
    end = f"Failed: {trajectory.error}" if trajectory.error else f"Answer: {trajectory.answer}"
    return cut("\n".join(filter(None, (*steps, trajectory.reasoning, end))), MAX_ATTEMPT_CHARS)


def verdict_text(feedback: Feedback) -> str:
    """What came of it, and what it rests on."""
    word = {True: "Right.", False: "Wrong.", None: "Not known."}[feedback.correct]
    if feedback.expected is not None:
        return f"{word} The right answer is: {feedback.expected}"
    return f"{word} {cut(feedback.detail, MAX_ATTEMPT_CHARS)}".strip()


def cut(text: str, limit: int) -> str:
    """The text; of one too long the beginning and the end, with an ellipsis between."""
    half = (limit - 3) // 2
    return text if len(text) <= limit else f"{text[:half]} … {text[-half:]}"
