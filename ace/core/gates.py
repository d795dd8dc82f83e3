"""Gates: the evidence on a bullet in, one decision out.

    harmful >= helpful, and harmful >= 1                        -> QUARANTINE   (also when helpful is 0)
    helpful >= gate.helpful_min and ratio >= gate.ratio_min     -> RISE one stage
    anything else                                               -> STAY

`ratio` is helpful / harmful, and helpful when nothing was harmful.
The default gates are the runbook's: 3 and 3.0 to enter STAGING, 5 and 5.0 to enter PROD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ace.core.replay import NEXT_STAGE
from ace.models.playbook import IN_USE, Bullet, PlaybookStage


class Verdict(StrEnum):
    """What a gate says."""

    RISE = "rise"
    STAY = "stay"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """What a bullet must show to leave a stage."""

    helpful_min: int
    ratio_min: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A verdict with its reason in words and numbers."""

    verdict: Verdict
    reason: str


Gates = Mapping[PlaybookStage, Gate]


def ratio(bullet: Bullet) -> float:
    """Helpful votes per harmful one; helpful itself when there is no harmful one."""
    return bullet.helpful_count / max(bullet.harmful_count, 1)


def decide(bullet: Bullet, gates: Gates) -> Decision:
    """What the evidence on this bullet asks for now."""
    votes = f"helpful={bullet.helpful_count} harmful={bullet.harmful_count}"
    if bullet.stage not in IN_USE:
        return Decision(verdict=Verdict.STAY, reason=f"{bullet.stage}: only a person restores it")
    if bullet.harmful_count >= max(bullet.helpful_count, 1):
        return Decision(verdict=Verdict.QUARANTINE, reason=f"harmful at least as often as helpful: {votes}")
    gate = gates.get(bullet.stage)
    if gate is None:
        return Decision(verdict=Verdict.STAY, reason=f"at the top: {votes}")
    passed = bullet.helpful_count >= gate.helpful_min and ratio(bullet) >= gate.ratio_min
    needed = f"{votes} ratio={ratio(bullet):.2f}, gate helpful>={gate.helpful_min} ratio>={gate.ratio_min:.2f}"
    return Decision(verdict=Verdict.RISE if passed else Verdict.STAY, reason=needed)


def after(stage: PlaybookStage, verdict: Verdict) -> PlaybookStage:
    """Where a verdict brings a bullet of this stage."""
    match verdict:
        case Verdict.RISE:
            return NEXT_STAGE[stage]
        case Verdict.QUARANTINE:
            return PlaybookStage.QUARANTINED
        case Verdict.STAY:
            return stage
