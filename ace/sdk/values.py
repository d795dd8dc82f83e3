"""What the calls give back. Each is made `from_json` of the HTTP interface, whichever way the call went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ace.models.evidence import Worth
from ace.models.plan import InsightOutcome, Outcome
from ace.models.playbook import Bullet, Origin, PlaybookStage, Section, SourceClass
from ace.models.review import ReviewState
from ace.models.run import Interval

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A bullet a task is shown: how near it is to the task (cosine, -1..1) and what it was ranked by."""

    id: str
    content: str
    section: Section
    stage: PlaybookStage
    similarity: float
    score: float

    @classmethod
    def from_json(cls, data: Json) -> Self:
        return cls(**{**data, "section": Section(data["section"]), "stage": PlaybookStage(data["stage"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a task is shown. `text` is for the prompt, `receipt` for the report of what happened.

    `held_out`: shown nothing by lot, so that it can be told what the playbook is worth.
    """

    domain: str
    bullets: tuple[Shown, ...] = ()
    text: str = ""
    tokens: int = 0
    position: int = 0
    held_out: bool = False
    receipt: str = ""
    receipt_id: str = ""

    @classmethod
    def from_json(cls, data: Json) -> Self:
        return cls(**{**data, "bullets": tuple(Shown.from_json(one) for one in data["bullets"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """A report that is durable now. `new` is false when it had been made before."""

    domain: str
    episode_id: str
    state: str
    new: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a report has come; `error` says why the last attempt failed, `result` what the merge did."""

    domain: str
    episode_id: str
    state: str
    attempts: int
    error: str | None = None
    result: Json | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """What became of each insight, in the order they were given, and the journal's position after it."""

    domain: str
    episode_id: str
    outcomes: tuple[InsightOutcome, ...] = field(default_factory=tuple)
    position: int = 0

    @classmethod
    def from_json(cls, data: Json) -> Self:
        outcomes = tuple(
            InsightOutcome(**{**one, "outcome": Outcome(one["outcome"]), "contradicts": tuple(one["contradicts"]),
                              "reasons": tuple(one["reasons"])})
            for one in data["outcomes"]
        )  # fmt: skip
        return cls(**{**data, "outcomes": outcomes})


@dataclass(frozen=True, kw_only=True, slots=True)
class Journal:
    """A page of a playbook's changes, in order: each has `seq`, `at`, `kind`, `body`, `previous` and `hash`.

    `head` is the position of the last entry there is, `next` the `after` of the page that follows.
    """

    entries: tuple[Json, ...]
    head: int
    next: int | None = None

    @classmethod
    def from_json(cls, data: Json) -> Self:
        return cls(**{**data, "entries": tuple(data["entries"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A bullet a search found, and its cosine to the words."""

    bullet: Bullet
    similarity: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviewed:
    """An insight that waits for a person, or what was decided about it and why.

    Its `id` is also that of the bullet that it would be; `bullet_id` is the bullet it became, or was merged into.
    """

    id: str
    domain: str
    state: ReviewState
    content: str
    section: Section
    source: SourceClass
    confidence: float
    reasons: tuple[str, ...]
    episode_id: str
    task_id: str | None
    model: str | None
    principal: str | None
    shown: tuple[str, ...]
    created_at: str
    decided_at: str | None
    decided_by: str | None
    decision: str | None
    bullet_id: str | None

    @classmethod
    def from_json(cls, data: Json) -> Self:
        words = {"state": ReviewState(data["state"]), "section": Section(data["section"]),
                 "source": SourceClass(data["source"])}  # fmt: skip
        return cls(**{**data, **words, "reasons": tuple(data["reasons"]), "shown": tuple(data["shown"])})


def bullet(data: Json) -> Bullet:
    """A bullet as the interface lists it; what it adds is passed over."""
    own = {name: data[name] for name in ("id", "content", "helpful_count", "harmful_count")}
    return Bullet(domain_id=data["domain"], section=Section(data["section"]), stage=PlaybookStage(data["stage"]),
                  origin=Origin.from_json(data["origin"]), **own)  # fmt: skip


def bullets(data: Json) -> list[Bullet]:
    """A page of them."""
    return [bullet(one) for one in data["bullets"]]


def found(data: Json) -> list[Found]:
    """What a search found, the nearest first."""
    return [Found(bullet=bullet(one), similarity=one["similarity"]) for one in data["bullets"]]


def reviews(data: Json) -> list[Reviewed]:
    """A page of them."""
    return [Reviewed.from_json(one) for one in data["reviews"]]


def worth(data: Json) -> Worth:
    """What the playbook is worth."""
    shares = {name: Interval(**data[name]) for name in ("with_playbook", "held_out", "difference")}
    return Worth(helps=data["helps"], harms=data["harms"], **shares)
