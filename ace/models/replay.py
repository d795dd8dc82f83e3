"""Replays: the same task answered twice, and what that shows; which bullet broke a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ace.models.playbook import Bullet
from ace.models.run import Answered


class Pairing(StrEnum):
    """How a pair came out."""

    WIN = "win"  # right only with what is tried
    LOSS = "loss"  # right only without it
    TIE = "tie"  # the same with and without


class Ended(StrEnum):
    """Why no further pairs are run."""

    HELPS = "helps"  # the e-value for good has reached the bar of the bullet's stage
    HARMS = "harms"  # the e-value for harm has reached its bar
    HOPELESS = "hopeless"  # good is so unlikely by now, and harm not in sight, that more pairs would be wasted
    ENOUGH = "enough"  # as many pairs as were asked for
    NO_TASKS = "no_tasks"  # no task is left that this bullet was not tried on


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayPair:
    """One task answered without and with what is tried; `task_key` is a hash of the task, whatever its id."""

    subject: str
    task_id: str
    task_key: str
    question: str
    expected: str | None
    without: Answered
    having: Answered

    @property
    def outcome(self) -> Pairing:
        without, having = self.without.correct is True, self.having.correct is True
        return Pairing.TIE if without == having else Pairing.WIN if having else Pairing.LOSS


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Pairs counted."""

    wins: int = 0
    losses: int = 0
    ties: int = 0

    @property
    def n(self) -> int:
        return self.wins + self.losses + self.ties

    @classmethod
    def of(cls, pairs: Sequence[ReplayPair]) -> Score:
        outcomes = [pair.outcome for pair in pairs]
        return cls(wins=outcomes.count(Pairing.WIN), losses=outcomes.count(Pairing.LOSS),
                   ties=outcomes.count(Pairing.TIE))  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class BulletReplay:
    """What a run showed about a bullet. `run`: its pairs; `total`: all that its journal holds; `bar`: of its stage."""

    bullet: Bullet
    ended: Ended | None
    run: Score
    total: Score
    helpful: float
    harmful: float
    bar: float

    def to_json(self) -> dict[str, Any]:
        return {"bullet": self.bullet.id, "domain": self.bullet.domain_id, "stage": self.bullet.stage.value,
                "ended": self.ended, "pairs": asdict(self.run), "all_pairs": asdict(self.total),
                "e_value_good": self.helpful, "e_value_harm": self.harmful, "bar": self.bar}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A bullet that replays could decide: how many wins in a row it lacks, and what else it lacks, in words."""

    bullet: Bullet
    wins_left: int
    helpful: float
    harmful: float
    lacks: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"bullet": self.bullet.id, "stage": self.bullet.stage.value, "wins_left": self.wins_left,
                "e_value_good": self.helpful, "e_value_harm": self.harmful, "lacks": self.lacks,
                "text": self.bullet.content}  # fmt: skip


class Guilt(StrEnum):
    """What an inquiry found."""

    FOUND = "found"  # these bullets break the task
    SUCCEEDS = "succeeds"  # with all bullets the task succeeds: there is nothing to explain
    FAILS_ANYWAY = "fails_anyway"  # without any bullet it fails too: they are not to blame
    OPEN = "open"  # stopped before it was known


@dataclass(frozen=True, kw_only=True, slots=True)
class BlameTrial:
    """The task done once (or `repeat` times) with these bullets: did it succeed?"""

    shown: tuple[str, ...]
    succeeded: bool
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Each cause is a smallest set of bullets that breaks the task; `suspects`: where the guilty are, while open."""

    guilt: Guilt
    causes: tuple[tuple[str, ...], ...] = ()
    suspects: tuple[str, ...] = ()

    @property
    def culprits(self) -> tuple[str, ...]:
        return tuple(own for cause in self.causes for own in cause)
