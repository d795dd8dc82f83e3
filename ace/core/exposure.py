"""Which bullets a task is shown, and with which chance: so that later it can be told what each of them did.

    traffic       stage            chance                         default
    production    PROD             1 - dropout                     0.95
    production    STAGING          canary                          0.10
    shadow        any visible      trial, PROD: 1 - dropout        0.50
    any           any              0 for a task held out           0.02 of the tasks outside shadow

A draw is a hash of (unit, bullet, salt), where the unit is the receipt's or the task's id: anyone who knows the three
can draw again, on every machine. The chance belongs in the receipt (`Shown.probability`). Tasks held out see no
playbook; what the others gain over them is what the playbook is worth (`ace.core.worth`).
A salt nobody outside knows keeps a caller from choosing ids that are shown what it likes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from ace.core.ranking import VISIBLE
from ace.models.playbook import Bullet, PlaybookStage, Traffic
from ace.models.receipt import Shown

_UNIT = 2**53


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """The chances, each 0..1, and the salt of the draws."""

    dropout: float = 0.05
    canary: float = 0.10
    trial: float = 0.50
    holdout: float = 0.02
    salt: str = ""

    def __post_init__(self) -> None:
        for name in ("dropout", "canary", "trial", "holdout"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is a share: {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """What one task is shown, and what it was not though it could have been; both with the chance of being shown."""

    held_out: bool
    shown: tuple[Shown, ...] = ()
    withheld: tuple[Shown, ...] = ()


def chance(stage: PlaybookStage, traffic: Traffic, shares: Shares) -> float:
    """With which probability a bullet of this stage is shown to a task that is not held out."""
    if stage == PlaybookStage.PROD:
        return 1.0 - shares.dropout
    if traffic == Traffic.SHADOW:
        return shares.trial if stage in VISIBLE[Traffic.SHADOW] else 0.0
    return shares.canary if stage == PlaybookStage.STAGING else 0.0


def draw(unit: str, bullet_id: str, salt: str) -> float:
    """A number in [0, 1), the same for the same three."""
    digest = hashlib.sha256("\0".join((salt, unit, bullet_id)).encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / _UNIT


def held_out(unit: str, traffic: Traffic, shares: Shares) -> bool:
    """Whether this task sees no playbook, for comparison."""
    return traffic != Traffic.SHADOW and draw(unit, "", shares.salt) < shares.holdout


def expose(unit: str, bullets: Iterable[Bullet], traffic: Traffic, shares: Shares) -> Exposure:
    """Draw for each of the bullets retrieved for a task."""
    if held_out(unit, traffic, shares):
        return Exposure(held_out=True)
    offered = [Shown(bullet_id=b.id, probability=chance(b.stage, traffic, shares)) for b in bullets]
    shown = [draw(unit, one.bullet_id, shares.salt) < one.probability for one in offered]
    return Exposure(
        held_out=False,
        shown=tuple(one for one, hit in zip(offered, shown, strict=True) if hit),
        withheld=tuple(one for one, hit in zip(offered, shown, strict=True) if not hit and one.probability > 0.0),
    )
