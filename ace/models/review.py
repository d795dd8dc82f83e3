"""An insight that waits for a person, and what the person said.

WAITING ──> APPROVED    it is merged like any insight, as it was or edited
   └──────> REJECTED    it is not, and the same advice is not proposed again; a person may let it wait again
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from ace.models.foreign import Foreign
from ace.models.insight import Insight, Tag
from ace.models.playbook import Section, SourceClass


class ReviewState(StrEnum):
    """Where an insight that needs a person stands."""

    WAITING = "waiting"  # nobody has looked yet; no agent is shown it
    APPROVED = "approved"  # it was merged, as it was or edited
    REJECTED = "rejected"  # it was not, and the same advice is not proposed again


class ReviewMode(StrEnum):
    """Which insights wait for a person."""

    OFF = "off"  # none; nor are rejections remembered
    SCREENS = "screens"  # those that look like secrets, personal data or instructions
    FULL = "full"  # those, the unsure ones, and those that contradict a bullet


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewItem:
    """`reasons` say why it waits; `bullet_id` is what it became. Times are seconds since the epoch.

    Its id is the one the bullet would have, so the same text never waits twice.
    """

    id: str
    domain_id: str
    insight: Insight
    reasons: tuple[str, ...]
    episode_id: str
    task_id: str | None = None
    model: str | None = None
    principal: str | None = None
    shown: tuple[str, ...] = ()
    prompt_hash: str | None = None
    state: ReviewState = ReviewState.WAITING
    created_at: float = 0.0
    decided_at: float | None = None
    decided_by: str | None = None
    decision: str | None = None
    bullet_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        insight = asdict(self.insight)
        foreign = {"foreign": [place.to_json() for place in self.insight.foreign]} if self.insight.foreign else {}
        del insight["foreign"]  # as earlier releases read it, where there is nothing to be told
        return asdict(self) | {"insight": insight | foreign}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        given = dict(data["insight"])
        given |= {
            "section": Section(given["section"]),
            "tag": Tag(given["tag"]),
            "source": SourceClass(given["source"]),
            "foreign": tuple(map(Foreign.from_json, given.get("foreign", ()))),
        }
        parts = {"insight": Insight(**given), "reasons": tuple(data["reasons"]), "shown": tuple(data["shown"])}
        return cls(**{**data, **parts, "state": ReviewState(data["state"])})
