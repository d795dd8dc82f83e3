"""A playbook is a set of bullets per domain; a bullet is a short strategy that an agent reads before it works.

A bullet's text never changes. Its id is a function of its domain and text, so the same lesson learned twice,
in any process and in any order, is the same bullet. What does change is its stage and its two counters:

    SHADOW ──> STAGING ──> PROD        by evidence, one stage at a time
       └──────────┴──────────┴──> QUARANTINED   when it harms as often as it helps
       └──────────┴──────────┴──> ARCHIVED      when it is not needed
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from ace.models.foreign import Foreign
from ace.models.observation import Lot


class PlaybookStage(StrEnum):
    """How far a bullet is trusted."""

    SHADOW = "shadow"  # learned, seen by nobody but the learner
    STAGING = "staging"  # shown to a small share of production traffic
    PROD = "prod"  # shown to everyone
    QUARANTINED = "quarantined"  # shown to nobody; kept so that it is not learned again
    ARCHIVED = "archived"  # shown to nobody, without blame: another says the same, or nobody used it


class Traffic(StrEnum):
    """What kind of work asks for bullets, and so which stages it is shown; also the kinds of environment."""

    SHADOW = "shadow"  # learning and trials: everything in use
    STAGING = "staging"  # canaries: STAGING and PROD
    PRODUCTION = "production"  # PROD alone


class Selection(StrEnum):
    """Which bullets a task is given, of those its traffic may be shown."""

    NEAREST = "nearest"  # a few: those that fit the task best, the best first
    WHOLE = "whole"  # all of them, the oldest first, so that a growing playbook only adds to the end of a prompt


class Section(StrEnum):
    """What kind of advice a bullet gives; the value is also the first part of its id."""

    STRATEGY = "strategy"  # how to go about a kind of task
    FORMULA = "formula"  # a calculation and how to carry it out
    EXAMPLE = "example"  # a solved case to imitate
    MISTAKE = "mistake"  # an error seen before and how to avoid it
    TOOL = "tool"  # how to call an API or a tool
    OTHER = "other"  # none of these


class SourceClass(StrEnum):
    """Where a bullet's text came from, most trusted first."""

    HUMAN = "human"  # a person wrote or approved it
    TEMPLATE = "template"  # a fixed sentence around a checked answer; no model wrote it
    REFLECTION = "reflection"  # a Reflector wrote it about an episode
    IMPORT = "import"  # carried over from another playbook


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Who learned a bullet, from what, with which model.

    `principal` is the API key that reported it, `shown` the bullets in the prompt of that episode, `prompt_hash` the
    SHA-256 of what the agent was asked, `foreign` where it had been before it was carried in here, the latest last.
    What is not known is not written, so older entries keep their hashes.
    """

    source: SourceClass = SourceClass.REFLECTION
    episode_id: str | None = None
    task_id: str | None = None
    model: str | None = None
    confidence: float = 1.0
    principal: str | None = None
    shown: tuple[str, ...] = ()
    prompt_hash: str | None = None
    foreign: tuple[Foreign, ...] = ()

    def to_json(self) -> dict[str, Any]:
        later = {"principal": self.principal, "shown": list(self.shown), "prompt_hash": self.prompt_hash,
                 "foreign": [place.to_json() for place in self.foreign]}  # fmt: skip
        return {"source": self.source.value, "episode_id": self.episode_id, "task_id": self.task_id,
                "model": self.model, "confidence": self.confidence,
                **{name: value for name, value in later.items() if value}}  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse; fields that a later release added are passed over."""
        known = {own: data[own] for own in cls.__slots__ if own in data}
        foreign = tuple(Foreign.from_json(place) for place in data.get("foreign", ()))
        shown = tuple(data.get("shown", ()))
        return cls(**known | {"source": SourceClass(data["source"]), "shown": shown, "foreign": foreign})


@dataclass(frozen=True, kw_only=True, slots=True)
class Bullet:
    """One strategy in one domain. `content` is final; counters count episodes, not calls."""

    id: str
    domain_id: str
    content: str
    section: Section = Section.STRATEGY
    stage: PlaybookStage = PlaybookStage.SHADOW
    helpful_count: int = 0
    harmful_count: int = 0
    origin: Origin = field(default_factory=Origin)

    def evolve(self, **changes: Any) -> Self:
        """A copy with these fields changed."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "domain_id": self.domain_id, "content": self.content,
                "section": self.section.value, "stage": self.stage.value,
                "helpful_count": self.helpful_count, "harmful_count": self.harmful_count,
                "origin": self.origin.to_json()}  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**{**data, "section": Section(data["section"]), "stage": PlaybookStage(data["stage"]),
                      "origin": Origin.from_json(data["origin"])})  # fmt: skip


IN_USE = (PlaybookStage.SHADOW, PlaybookStage.STAGING, PlaybookStage.PROD)
"""The stages whose bullets somebody is shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """Two bullets of one domain that give opposite advice; neither is merged away."""

    left: str
    right: str

    @classmethod
    def between(cls, one: str, other: str) -> Self:
        return cls(left=min(one, other), right=max(one, other))


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredBullet:
    """A bullet, how near it is to the task (cosine, -1..1) and the score it was ranked by."""

    bullet: Bullet
    similarity: float
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What one task is given: the bullets best first, their rendered text, and the journal position they are of.

    `lots`, `holdout`, `held_out` as in a `Receipt`.
    """

    domain_id: str
    bullets: tuple[ScoredBullet, ...] = ()
    text: str = ""
    tokens: int = 0
    position: int = 0
    lots: tuple[Lot, ...] = ()
    holdout: float = 0.0
    held_out: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(scored.bullet.id for scored in self.bullets)


def normalise(text: str) -> str:
    """Text as it is stored and compared: NFC, runs of white space made one space, ends trimmed."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def bullet_id(domain_id: str, section: Section, content: str) -> str:
    """`<section>-<10 letters>`: 50 bits of SHA-256 over domain and text, in lower-case base 32."""
    digest = hashlib.sha256(f"{domain_id}\0{normalise(content)}".encode()).digest()
    return f"{section.value}-{base64.b32encode(digest[:7]).decode().lower()[:10]}"
