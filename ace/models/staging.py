"""What a run of the stage manager did, or would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ace.models.plan import Operation, Promote, Quarantine
from ace.models.playbook import PlaybookStage


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One bullet goes from one stage to another, for a reason in words and numbers."""

    bullet_id: str
    before: PlaybookStage
    after: PlaybookStage
    reason: str
    ruling: Mapping[str, Any] | None = None  # the evidence that made it

    @property
    def operation(self) -> Operation:
        """The move as the journal keeps it."""
        if self.after == PlaybookStage.QUARANTINED:
            return Quarantine(bullet_id=self.bullet_id, reason=self.reason, ruling=self.ruling)
        return Promote(bullet_id=self.bullet_id, to=self.after, reason=self.reason, ruling=self.ruling)

    def to_json(self) -> dict[str, Any]:
        return {"bullet_id": self.bullet_id, "from": self.before.value, "to": self.after.value, "reason": self.reason}


@dataclass(frozen=True, kw_only=True, slots=True)
class Advance:
    """One domain's run: its moves, oldest bullet first, stage by stage."""

    domain_id: str
    moves: tuple[Move, ...] = ()

    @property
    def promoted(self) -> int:
        return sum(move.after != PlaybookStage.QUARANTINED for move in self.moves)

    @property
    def quarantined(self) -> int:
        return len(self.moves) - self.promoted
