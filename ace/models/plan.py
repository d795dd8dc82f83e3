"""What is to be done to a playbook, as values: decided in the core, carried out by the store, kept in the journal.

Add         a bullet enters, in SHADOW
Increment   one episode's vote on a bullet
Promote     one stage up: SHADOW -> STAGING -> PROD
Quarantine  out of use, from any stage
Archive     out of use without blame: another says the same, nobody uses it, or there is no room
Restore     a person takes a bullet out of quarantine or the archive, back to SHADOW
Relate      two bullets are known to contradict each other
Rollback    the playbook is again what it was at an earlier position
Observe     what an episode showed; changes no bullet, it is what evidence is counted from
Pairs       what replayed tasks showed about a bullet; likewise
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from ace.errors import InvalidInput
from ace.models.observation import Observation
from ace.models.playbook import Bullet, Link, PlaybookStage
from ace.models.review import ReviewItem


@dataclass(frozen=True, kw_only=True, slots=True)
class Add:
    bullet: Bullet


@dataclass(frozen=True, kw_only=True, slots=True)
class Increment:
    bullet_id: str
    episode_id: str
    helpful: int = 0
    harmful: int = 0
    principal: str | None = None  # the API key that reported the episode, where there was one


@dataclass(frozen=True, kw_only=True, slots=True)
class Promote:
    bullet_id: str
    to: PlaybookStage
    reason: str
    ruling: Mapping[str, Any] | None = None  # the evidence that made it, where the stage manager did


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantine:
    bullet_id: str
    reason: str
    ruling: Mapping[str, Any] | None = None  # as above


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    bullet_id: str
    reason: str
    superseded_by: str | None = None  # the bullet that says the same


@dataclass(frozen=True, kw_only=True, slots=True)
class Restore:
    bullet_id: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Relate:
    link: Link


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollback:
    to: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Observe:
    observation: Observation


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """The same tasks run with the bullet and without: how often it alone made the difference, for better and worse."""

    bullet_id: str
    wins: int
    losses: int
    ties: int = 0
    run_id: str = ""


Restage = Promote | Quarantine | Archive | Restore
"""A bullet changes its stage."""
Operation = Add | Increment | Restage | Relate | Rollback | Observe | Pairs


class Outcome(StrEnum):
    """What became of an insight."""

    ADDED = "added"  # a new bullet
    MERGED = "merged"  # known already: the bullet's counter rose
    REPEATED = "repeated"  # known already, and this episode may not vote on it (again): nothing to count
    LINKED = "linked"  # a new bullet that contradicts one or more others
    HELD = "held"  # waits for a person; `bullet_id` is the review item's id, and will be the bullet's
    REJECTED = "rejected"  # a person has rejected this advice before; `bullet_id` is that review item's id


@dataclass(frozen=True, kw_only=True, slots=True)
class InsightOutcome:
    """One insight's fate, in the order the insights were given."""

    outcome: Outcome
    bullet_id: str
    similarity: float = 0.0
    contradicts: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()  # why it is held


@dataclass(frozen=True, kw_only=True, slots=True)
class MergePlan:
    """The operations in order, one outcome per insight, and what is to wait for a person."""

    operations: tuple[Operation, ...] = ()
    outcomes: tuple[InsightOutcome, ...] = ()
    held: tuple[ReviewItem, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeResult:
    """What a merge did: one outcome per insight, how many entries it journalled, the journal's position after it."""

    outcomes: tuple[InsightOutcome, ...] = ()
    operations: int = 0
    position: int = 0

    def count(self, *kinds: Outcome) -> int:
        """How many insights had one of these outcomes."""
        return sum(outcome.outcome in kinds for outcome in self.outcomes)

    def __add__(self, later: MergeResult) -> MergeResult:
        operations = self.operations + later.operations
        return MergeResult(outcomes=self.outcomes + later.outcomes, operations=operations, position=later.position)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        outcomes = tuple(
            InsightOutcome(**{
                **item, "outcome": Outcome(item["outcome"]),
                "contradicts": tuple(item["contradicts"]), "reasons": tuple(item.get("reasons", ())),
            })
            for item in data["outcomes"]
        )  # fmt: skip
        return cls(outcomes=outcomes, operations=data["operations"], position=data["position"])


def operation_to_json(operation: Operation) -> tuple[str, dict[str, Any]]:
    """`(kind, body)` for the journal; the inverse is `operation_from_json`."""
    match operation:
        case Add(bullet=bullet):
            return "add", bullet.to_json()
        case Increment(bullet_id=bullet_id, episode_id=episode, helpful=helpful, harmful=harmful, principal=by):
            body = {"bullet_id": bullet_id, "episode_id": episode, "helpful": helpful, "harmful": harmful}
            return "increment", body | ({"principal": by} if by else {})
        case Promote(bullet_id=bullet_id, to=to, reason=reason, ruling=ruling):
            body = {"bullet_id": bullet_id, "to": to.value, "reason": reason}
            return "promote", body | ({"ruling": dict(ruling)} if ruling else {})
        case Quarantine(bullet_id=bullet_id, reason=reason, ruling=ruling):
            return "quarantine", {"bullet_id": bullet_id, "reason": reason} | (
                {"ruling": dict(ruling)} if ruling else {}
            )
        case Archive(bullet_id=bullet_id, reason=reason, superseded_by=other):
            body = {"bullet_id": bullet_id, "reason": reason}
            return "archive", body | ({"superseded_by": other} if other else {})
        case Restore(bullet_id=bullet_id, reason=reason):
            return "restore", {"bullet_id": bullet_id, "reason": reason}
        case Relate(link=link):
            return "relate", {"left": link.left, "right": link.right}
        case Rollback(to=to, reason=reason):
            return "rollback", {"to": to, "reason": reason}
        case Observe(observation=observation):
            return "observe", observation.to_json()
        case Pairs():
            return "pairs", asdict(operation)


def operation_from_json(kind: str, body: dict[str, Any]) -> Operation:
    """The operation a journal entry holds. Raises InvalidInput for a kind this release does not know."""
    match kind:
        case "add":
            return Add(bullet=Bullet.from_json(body))
        case "increment":
            return Increment(**body)
        case "promote":
            return Promote(**{**body, "to": PlaybookStage(body["to"])})
        case "quarantine":
            return Quarantine(**body)
        case "archive":
            return Archive(**body)
        case "restore":
            return Restore(**body)
        case "relate":
            return Relate(link=Link(**body))
        case "rollback":
            return Rollback(**body)
        case "observe":
            return Observe(observation=Observation.from_json(body))
        case "pairs":
            return Pairs(**body)
    raise InvalidInput("journal entry kind", f"'{kind}' is not known to this release", "Upgrade ACE, then try again")
