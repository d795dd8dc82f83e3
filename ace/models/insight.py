"""What one episode teaches: insights (new text) and votes (on bullets the answer cited). Together, a delta."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ace.models.foreign import Foreign
from ace.models.observation import Observation
from ace.models.playbook import Section, SourceClass


class Tag(StrEnum):
    """What a bullet, or a lesson restated, did in an episode."""

    HELPFUL = "helpful"
    HARMFUL = "harmful"
    NEUTRAL = "neutral"


@dataclass(frozen=True, kw_only=True, slots=True)
class Insight:
    """A lesson the Reflector proposes. `confidence` is 0..1; `tag` is the vote a near-duplicate receives.

    `foreign`, of one that is carried in, is where it has been: see `Origin`.
    """

    content: str
    section: Section = Section.STRATEGY
    tag: Tag = Tag.HELPFUL
    confidence: float = 1.0
    source: SourceClass = SourceClass.REFLECTION
    foreign: tuple[Foreign, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One bullet's part in one episode."""

    bullet_id: str
    tag: Tag


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """All that one episode changes in a playbook: at most one vote per bullet, any number of insights.

    `principal`, `shown` and `prompt_hash` are where it comes from: see `Origin`. `observation`: what it
    showed.
    """

    episode_id: str
    insights: tuple[Insight, ...] = ()
    votes: tuple[Vote, ...] = ()
    task_id: str | None = None
    model: str | None = None
    principal: str | None = None
    shown: tuple[str, ...] = ()
    prompt_hash: str | None = None
    observation: Observation | None = None
