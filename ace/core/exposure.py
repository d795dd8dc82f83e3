"""Which bullets a task is shown, and with which chance: so that later it can be told what each of them did.

    traffic       stage            chance                         default
    production    PROD             1 - dropout                     0.95
    production    STAGING          canary                          0.10
    staging       STAGING, PROD    1 - dropout                     0.95
    shadow        SHADOW, STAGING  trial                           1; 0.50 where evidence decides
    shadow        PROD             1 - dropout, if trial is not 1  1; 0.95 where evidence decides
    any           any              0 for a task held out           0.02 of the tasks outside shadow

A draw is a hash of (unit, bullet, salt), where the unit is the receipt's or the task's id: anyone who knows the three
can draw again, on every machine. The chance belongs in the receipt. Tasks held out see no
playbook; what the others gain over them is what the playbook is worth (`ace.core.worth`).
A salt nobody outside knows keeps a caller from choosing ids that are shown what it likes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ace.core.ranking import VISIBLE
from ace.core.rendering import estimate_tokens, render_bullet
from ace.models.observation import Lot
from ace.models.playbook import Bullet, PlaybookStage, ScoredBullet, Traffic

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
    """The lots of one task; empty for one that is held out."""

    held_out: bool
    lots: tuple[Lot, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Draws:
    """The lots of one task, drawn one at a time."""

    unit: str
    traffic: Traffic
    shares: Shares

    @property
    def holdout(self) -> float:
        """The chance that such a task is shown nothing."""
        return 0.0 if self.traffic == Traffic.SHADOW else self.shares.holdout

    @property
    def held_out(self) -> bool:
        """Whether this one is shown nothing, for comparison."""
        return draw(self.unit, "", self.shares.salt) < self.holdout

    @property
    def stages(self) -> frozenset[PlaybookStage]:
        """The stages of which something may be shown."""
        return frozenset(stage for stage in PlaybookStage if chance(stage, self.traffic, self.shares) > 0.0)

    def lot(self, bullet: Bullet) -> Lot:
        """Draw for a bullet."""
        share = chance(bullet.stage, self.traffic, self.shares)
        shown = share >= 1.0 or draw(self.unit, bullet.id, self.shares.salt) < share
        return Lot(bullet_id=bullet.id, chance=share, shown=shown)


def choose(
    ranked: Iterable[ScoredBullet], lot: Callable[[Bullet], Lot], *, k: int, budget: int | None = None
) -> tuple[list[tuple[ScoredBullet, str, int]], list[Lot]]:
    """What a task is shown of the bullets near it, best first: up to `k`, of at most `budget` tokens together.

    Each shown bullet with its line and the tokens of that, and the lots drawn. A lot is drawn only for a bullet that
    there is room for, so that whoever was drawn for had the chance the table gives.
    """
    shown: list[tuple[ScoredBullet, str, int]] = []
    lots: list[Lot] = []
    left = budget
    for scored in ranked:
        line = render_bullet(scored.bullet)
        cost = estimate_tokens(line)
        if len(shown) == k or (left is not None and cost > left):
            break
        drawn = lot(scored.bullet)
        lots.append(drawn)
        if drawn.shown:
            shown.append((scored, line, cost))
            left = None if left is None else left - cost
    return shown, lots


def always(bullet: Bullet) -> Lot:
    """The lot of a bullet nobody draws for: it is shown."""
    return Lot(bullet_id=bullet.id, chance=1.0, shown=True)


def chance(stage: PlaybookStage, traffic: Traffic, shares: Shares) -> float:
    """With which probability a bullet of this stage is shown to a task that is not held out."""
    if traffic == Traffic.PRODUCTION and stage == PlaybookStage.STAGING:
        return shares.canary
    if stage not in VISIBLE[traffic]:
        return 0.0
    if traffic == Traffic.SHADOW and (stage != PlaybookStage.PROD or shares.trial == 1.0):
        return shares.trial
    return 1.0 - shares.dropout


def draw(unit: str, bullet_id: str, salt: str) -> float:
    """A number in [0, 1), the same for the same three."""
    digest = hashlib.sha256("\0".join((salt, unit, bullet_id)).encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / _UNIT


def expose(unit: str, bullets: Iterable[Bullet], traffic: Traffic, shares: Shares) -> Exposure:
    """Draw for each of the bullets retrieved for a task; those that cannot be shown are left out."""
    draws = Draws(unit=unit, traffic=traffic, shares=shares)
    if draws.held_out:
        return Exposure(held_out=True)
    lots = (draws.lot(bullet) for bullet in bullets)
    return Exposure(held_out=False, lots=tuple(lot for lot in lots if lot.chance > 0.0))
