"""Episodes for tests about reports and reflection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ace.models.episode import Episode
from ace.models.task import Feedback, FeedbackSource, Task, Trajectory
from tests.playbooks import DOMAIN

AT = 1_772_357_400.0  # seconds since the epoch
TRUE = Feedback(correct=True, source=FeedbackSource.GROUND_TRUTH, expected="4")
UNJUDGED = Feedback(correct=None)


def episode(
    own: str,
    *,
    question: str = "What is 2 + 2?",
    feedback: Feedback = TRUE,
    shown: Sequence[str] = (),
    cited: Sequence[str] = (),
    domain: str = DOMAIN,
    at: float = AT,
    **trajectory: Any,
) -> Episode:
    """A reported episode: right, unless said otherwise."""
    did = {"answer": "4", "shown": tuple(shown), "cited": tuple(cited)} | trajectory
    return Episode(
        id=own,
        domain_id=domain,
        task=Task(id=f"task-{own}", question=question, ground_truth=feedback.expected),
        trajectory=Trajectory(task_id=f"task-{own}", episode_id=own, **did),
        feedback=feedback,
        reported_at=at,
    )
