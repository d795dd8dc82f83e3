"""An insight that waits for a person, and what the person said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ace.models.insight import Insight


class ReviewState(StrEnum):
    """Where an insight that needs a person stands."""

    WAITING = "waiting"  # nobody has looked yet; no agent is shown it
    APPROVED = "approved"  # it was merged, as it was or edited
    REJECTED = "rejected"  # it was not, and the same advice is not proposed again


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewItem:
    """`reasons` say why it waits; `bullet_id` is what it became. Times are seconds since the epoch."""

    id: str
    domain_id: str
    insight: Insight
    reasons: tuple[str, ...]
    episode_id: str
    task_id: str | None = None
    model: str | None = None
    state: ReviewState = ReviewState.WAITING
    created_at: float = 0.0
    decided_at: float | None = None
    decided_by: str | None = None
    decision: str | None = None
    bullet_id: str | None = None
