"""What the tools answer beside their text: the SDK's values, in schemas that clients can check."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ace.models.plan import Outcome
from ace.models.playbook import Bullet
from ace.sdk.values import Found, Reviewed, Shown


class Answer(BaseModel):
    """What a tool answers, beside the text."""

    model_config = ConfigDict(from_attributes=True)


class ContextAnswer(Answer):
    """The bullets that fit, best first; `text` is the same for the prompt, `receipt` for record_outcome."""

    domain: str
    bullets: list[Shown]
    text: str
    tokens: int = Field(description="about how many tokens `text` is")
    held_out: bool = Field(description="shown nothing by lot, so that it can be told what the playbook is worth")
    receipt: str
    receipt_id: str = Field(description="what the receipt is known by; the episode's id")


class Recorded(Answer):
    """The report is durable. `new` is false when it had been made before."""

    domain: str
    episode_id: str
    state: str
    new: bool


class FoundBullets(Answer):
    """The nearest first, with their cosine to the words."""

    bullets: list[Found]


class BulletAnswer(Answer):
    """A bullet, what speaks for it and against it, and the journal's entries about it."""

    bullet: Bullet
    evidence: dict[str, Any]
    entries: int = Field(description="how many entries there are")
    history: list[dict[str, Any]] = Field(description="the newest fifty")


class InsightAnswer(Answer):
    """What became of an insight. `bullet_id` of `held` and `rejected` is the review item's."""

    outcome: Outcome
    bullet_id: str
    similarity: float
    contradicts: list[str]
    reasons: list[str] = Field(description="why it waits for a person, or was turned down")


class ReviewList(Answer):
    """Those that came first in front; `next` is the cursor of the page after, null at the end."""

    reviews: list[Reviewed]
    next: str | None


class ReviewAnswer(Answer):
    """The item as it is now."""

    review: Reviewed
