"""What the history's operations take and give."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ace.models.guardrail import Gauge, Mode, State
from ace.models.playbook import PlaybookStage, SourceClass
from ace.services.releases import NAME_PATTERN
from ace.web.schemas import BulletOut, Strict, Word

Reason = Annotated[str, Field(max_length=1000, description="why; the journal keeps it. Needed unless dry_run")]


class PastOut(BaseModel):
    """Bullets as of `position`; `next` is the `offset` of the page after, null at the end."""

    domain: str
    position: int
    total: int
    bullets: list[BulletOut]
    next: int | None


class BriefBullet(BaseModel):
    id: str
    stage: PlaybookStage
    content: str


class MoveOut(BaseModel):
    id: str
    from_: PlaybookStage = Field(alias="from")
    to: PlaybookStage


class CounterOut(BaseModel):
    """By how much its counters differ."""

    id: str
    helpful: int
    harmful: int


class DifferenceOut(BaseModel):
    """`lowered`: back to an earlier stage, as a rollback does. Links are pairs of bullet ids."""

    from_: int = Field(alias="from")
    to: int
    added: list[BriefBullet]
    removed: list[BriefBullet]
    promoted: list[MoveOut]
    quarantined: list[MoveOut]
    archived: list[MoveOut]
    restored: list[MoveOut]
    lowered: list[MoveOut]
    counters: list[CounterOut]
    linked: list[list[str]]
    unlinked: list[list[str]]


class FindingOut(BaseModel):
    """One gauge under both releases: shares 0..1, or seconds at P95. `low` and `high`: the interval of the change."""

    gauge: Gauge
    before: float | None
    now: float | None
    n_before: int
    n_now: int
    low: float
    high: float
    worse: bool
    reason: str


class GuardrailOut(BaseModel):
    """`would`: what the next run of the stage manager does."""

    domain: str
    mode: Mode
    state: State
    previous: str | None
    current: str | None
    would: str
    findings: list[FindingOut]


class ReleaseRequest(Strict):
    """A name for the head."""

    name: str = Field(pattern=f"^{NAME_PATTERN}$", description="letters, digits and . _ + -")
    note: str = Field("", max_length=1000)


class ReleaseOut(BaseModel):
    """`created_at`: seconds since 1970."""

    name: str
    position: int
    hash: str
    note: str
    created_at: float


class RollbackRequest(Strict):
    """Where to, and why."""

    to: str = Field(min_length=1, max_length=120, description="a position, a time with its zone, or release:NAME")
    reason: Reason = ""
    dry_run: bool = Field(False, strict=True)


class RollbackOut(BaseModel):
    """`position` is the rollback's own entry; roll back to the one before it to undo it."""

    dry_run: bool
    to: int
    position: int | None
    difference: DifferenceOut | None = Field(description="what would change; null unless dry_run")


class PurgeRequest(Strict):
    """One of the first four."""

    episode: Word | None = None
    principal: Word | None = Field(None, description="the id of the key that reported")
    model: Word | None = None
    source: SourceClass | None = None
    reason: Reason = ""
    dry_run: bool = Field(False, strict=True)


class PurgedBullet(BaseModel):
    """`stage` is the one it had."""

    id: str
    stage: PlaybookStage
    why: str


class PurgedOut(BaseModel):
    """`episodes_waiting`: reported from there, and not yet learned from. `reviews_rejected`: ids of what waited."""

    origin: str
    quarantined: list[PurgedBullet]
    already_quarantined: int
    episodes_waiting: int
    reviews_rejected: list[str]
    position: int
