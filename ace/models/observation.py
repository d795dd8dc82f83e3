"""What a reported episode shows about the bullets that were up for it: the facts that evidence is counted from.

Kept in the journal, one entry an episode, so that whoever reads the journal can count again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ace.models.task import FeedbackSource


@dataclass(frozen=True, kw_only=True, slots=True)
class Lot:
    """A bullet that fitted a task, the chance it had of being shown, 0..1, and whether it was."""

    bullet_id: str
    chance: float
    shown: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """One episode: who reported it, what came of it and who says so, and the lots that were drawn before it.

    `success` is None when nobody can tell. `kind`: 16 hexadecimal digits, alike for tasks that are alike
    (`ace.core.kinds`). `position`: the journal's, as of which the task was given its bullets; None without a receipt.
    `holdout`: the chance, 0..1, that a task like this one is shown nothing; `held_out`: this one was.
    `failed`: the agent reported an error. `latency_s`: seconds, 0 when not reported.
    """

    episode_id: str
    source: FeedbackSource = FeedbackSource.NONE
    success: bool | None = None
    principal: str | None = None
    kind: str | None = None
    traffic: str | None = None
    position: int | None = None
    lots: tuple[Lot, ...] = ()
    holdout: float = 0.0
    held_out: bool = False
    latency_s: float = 0.0
    failed: bool = False

    def to_json(self) -> dict[str, Any]:
        """What is as by default is left out: there is one of these an episode."""
        named = {"principal": self.principal, "kind": self.kind, "traffic": self.traffic, "position": self.position,
                 "success": self.success}  # fmt: skip
        counted = {"holdout": self.holdout, "held_out": self.held_out, "latency_s": self.latency_s,
                   "failed": self.failed}  # fmt: skip
        lots = [[lot.bullet_id, lot.chance, lot.shown] for lot in self.lots]
        return {"episode_id": self.episode_id, "source": self.source.value, **({"lots": lots} if lots else {}),
                **{name: value for name, value in named.items() if value is not None},
                **{name: value for name, value in counted.items() if value}}  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse."""
        lots = tuple(Lot(bullet_id=own, chance=chance, shown=shown) for own, chance, shown in data.get("lots", ()))
        return cls(**{**data, "source": FeedbackSource(data["source"]), "lots": lots})
