"""Which insights wait for a person, and what a person may say of them.

    an insight waits when                                  mode      its reason
    a screen catches its text (core.screening)             screens   screen: <name>
    its confidence is below `confidence_min`               full      confidence: 0.50 is below 0.60
    it contradicts a bullet there is                       full      contradicts: <bullet id>

A TEMPLATE is a fixed sentence around a checked answer: it is never unsure, but it is screened and compared like any
other, for it quotes a task that anybody may have written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ace.core.journal import timestamp
from ace.core.screening import screen
from ace.errors import Conflict
from ace.models.insight import Insight
from ace.models.playbook import SourceClass
from ace.models.review import ReviewItem, ReviewMode, ReviewState

CONFIDENCE_MIN = 0.6


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What waits: by default nothing. `votes_per_principal` limits how often one caller's word counts on one bullet."""

    mode: ReviewMode = ReviewMode.OFF
    confidence_min: float = CONFIDENCE_MIN  # 0: whatever the confidence
    votes_per_principal: int = 0  # 0: no limit

    def reasons(self, insight: Insight, contradicts: Sequence[str]) -> tuple[str, ...]:
        """Why this insight waits; empty when it does not."""
        if self.mode == ReviewMode.OFF:
            return ()
        screened = screen(insight.content)
        if self.mode == ReviewMode.SCREENS:
            return needs_review(insight, screened=screened, confidence_min=0.0)
        return needs_review(insight, screened=screened, contradicts=contradicts, confidence_min=self.confidence_min)


NOBODY = Policy()
"""Nothing waits: what a person has decided, and whatever does without review."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What a merge knows of the queue and of callers' earlier votes."""

    items: Mapping[str, ReviewItem] = field(default_factory=dict)
    votes: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (bullet, principal) -> votes counted


def needs_review(
    insight: Insight,
    *,
    screened: Sequence[str] = (),
    contradicts: Sequence[str] = (),
    confidence_min: float = CONFIDENCE_MIN,
) -> tuple[str, ...]:
    """The reasons for which this insight waits, by the table above; empty when it does not."""
    unsure = insight.source != SourceClass.TEMPLATE and insight.confidence < confidence_min
    doubts = [f"confidence: {insight.confidence:.2f} is below {confidence_min:.2f}"] if unsure else []
    return (*(f"screen: {name}" for name in screened), *doubts, *(f"contradicts: {own}" for own in contradicts))


def item_to_json(item: ReviewItem) -> dict[str, Any]:
    """An item as the interface shows it."""
    insight = item.insight
    return {"id": item.id, "domain": item.domain_id, "state": item.state, "content": insight.content,
            "section": insight.section, "source": insight.source, "confidence": insight.confidence,
            "reasons": list(item.reasons), "episode_id": item.episode_id, "task_id": item.task_id, "model": item.model,
            "principal": item.principal, "shown": list(item.shown), "created_at": _time(item.created_at),
            "decided_at": _time(item.decided_at), "decided_by": item.decided_by, "decision": item.decision,
            "bullet_id": item.bullet_id}  # fmt: skip


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(datetime.fromtimestamp(seconds, UTC))


def is_only_unsure(item: ReviewItem) -> bool:
    """Does it wait for its confidence alone? Then the same advice from a surer source need not wait with it."""
    return all(reason.startswith("confidence: ") for reason in item.reasons)


def reopened(item: ReviewItem, *, by: str, at: float, reason: str) -> ReviewItem:
    """A rejection taken back: it waits again. Raises Conflict for what was not rejected."""
    if item.state != ReviewState.REJECTED:
        raise Conflict(f"{item.id} is {item.state}; only what was rejected can wait again.")
    return replace(item, state=ReviewState.WAITING, decided_by=by, decided_at=at, decision=f"reopened: {reason}")


def contradicted(item: ReviewItem) -> tuple[str, ...]:
    """The bullets it contradicted when it was held."""
    prefix = "contradicts: "
    return tuple(reason.removeprefix(prefix) for reason in item.reasons if reason.startswith(prefix))


def decided(
    item: ReviewItem, state: ReviewState, *, by: str, at: float, reason: str | None = None, bullet_id: str | None = None
) -> ReviewItem:
    """The item once a person has spoken. Raises Conflict when somebody has spoken before."""
    if item.state != ReviewState.WAITING:
        raise Conflict(f"{item.id} was {item.state} by {item.decided_by} before. Look at it again: it is not waiting.")
    return replace(item, state=state, decided_by=by, decided_at=at, decision=reason, bullet_id=bullet_id)
