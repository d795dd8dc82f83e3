"""A simulated world's nouns, and what a simulation found out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ace.models.evidence import Policy
from ace.models.insight import Tag
from ace.models.playbook import Traffic
from ace.models.run import Interval
from ace.models.task import FeedbackSource


@dataclass(frozen=True, kw_only=True, slots=True)
class Planted:
    """A bullet whose effect is known: what showing it adds to the chance of success. `pushed`: votes are bought."""

    id: str
    kind: str
    effect: float
    pushed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WorldTask:
    """A task that arrives: who asks, what kind it is, and the bullets that fit it, nearest first."""

    number: int
    id: str
    cluster: str
    principal: str
    traffic: Traffic
    nearest: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What the caller says came of it, which may not be true, and what that rests on."""

    success: bool
    source: FeedbackSource


@dataclass(frozen=True, kw_only=True, slots=True)
class Stuffed:
    """A vote for a bullet from an episode that never was."""

    episode_id: str
    bullet_id: str
    tag: Tag = Tag.HELPFUL


class World(Protocol):
    """Where a policy is tried out. The same seed gives the same tasks whatever the policy does."""

    @property
    def bullets(self) -> Sequence[Planted]: ...

    def task(self, number: int) -> WorldTask: ...

    def attempt(self, task: WorldTask, shown: Collection[str]) -> bool:
        """Whether the live run succeeds, in truth."""
        ...

    def report(self, task: WorldTask, shown: Collection[str], success: bool) -> Report: ...

    def stuffed(self, task: WorldTask) -> Sequence[Stuffed]:
        """Further votes the caller hands in with this task."""
        ...

    def pair(self, task: WorldTask, bullet_id: str, run: int) -> tuple[bool, bool]:
        """The task run twice more, with no bullet and with this one, both judged by a test."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """What became of one bullet; the figures are replayed pairs at that moment, None if it never came."""

    bullet: Planted
    staging_at: int | None = None
    prod_at: int | None = None
    quarantined_at: int | None = None
    quarantined_in_prod: bool = False
    pairs: int = 0
    shown: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class KindResult:
    """The fates of one kind of bullet as shares with 95 % intervals; medians in replayed pairs."""

    kind: str
    effect: float
    n: int
    staging: Interval
    prod: Interval
    prod_in_time: Interval
    quarantined: Interval
    quarantined_in_time: Interval
    median_pairs_to_prod: float | None
    median_pairs_to_quarantine: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What was asked for, in words, what came out, and whether that is enough."""

    text: str
    reached: bool
    found: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """How many bullets of each kind stood in PROD after so many tasks."""

    tasks: int
    in_prod: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulation:
    """One policy's run through the world."""

    policy: Policy
    tasks: int
    seed: int
    kinds: tuple[KindResult, ...]
    goals: tuple[Goal, ...]
    course: tuple[Moment, ...]
    pairs: int
    success: Interval
    false_in_prod: Interval
    last_rulings: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
