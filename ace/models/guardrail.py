"""What the guardrail watches, what it has found, and what it does about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ace.models.release import Release


class Mode(StrEnum):
    """What is done when a release is worse than the one before."""

    ON = "on"  # the playbook is rolled back, and it is told
    WATCH = "watch"  # it is told
    OFF = "off"  # nobody looks


class Gauge(StrEnum):
    """What is compared."""

    SUCCESS = "success"  # the share of judged tasks that were right
    ERRORS = "errors"  # the share of tasks in which the agent reported an error
    LATENCY = "latency"  # the seconds that 95 % of tasks take at most


class State(StrEnum):
    """How a domain stands."""

    UNWATCHED = "unwatched"  # the guardrail is off
    ALONE = "alone"  # there is no second release to compare with
    ROLLED_BACK = "rolled_back"  # since the current release; the next one is watched again
    GOOD = "good"  # nothing is shown to be worse
    WORSE = "worse"  # something is


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How much worse is too much, and how often, at most, a release that is not worse is taken for one, 0..1."""

    success_points: float = 8.0
    latency_percent: float = 30.0
    error_percent: float = 15.0
    alpha: float = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One gauge: `before` and `now` from so many tasks, shares 0..1 or seconds; None where there are none.

    `low` and `high`: the interval of the change in the share; for latency, of the share of tasks now that take longer
    than allowed. `reason`: the same in words.
    """

    gauge: Gauge
    before: float | None
    now: float | None
    n_before: int
    n_now: int
    low: float
    high: float
    worse: bool
    reason: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """A domain's releases compared. `news`: found for the first time; `position`: of the rollback that was made."""

    domain_id: str
    mode: Mode
    state: State
    previous: Release | None = None
    current: Release | None = None
    findings: tuple[Finding, ...] = ()
    news: tuple[Finding, ...] = ()
    position: int | None = None

    @property
    def worse(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.worse)

    @property
    def would(self) -> str:
        """What the next run of the stage manager will do."""
        if self.state != State.WORSE or self.mode == Mode.OFF:
            return "nothing"
        return f"roll back to release:{_name(self.previous)}" if self.mode == Mode.ON else "tell"

    @property
    def reason(self) -> str:
        """Why the playbook is rolled back."""
        compared = f"guardrail: release {_name(self.current)} is worse than {_name(self.previous)}"
        return "; ".join([compared, *(one.reason for one in self.worse)])

    def to_json(self) -> dict[str, Any]:
        return {"domain": self.domain_id, "mode": self.mode.value, "state": self.state.value,
                "previous": self.previous.name if self.previous else None,
                "current": self.current.name if self.current else None, "would": self.would,
                "findings": [one.to_json() for one in self.findings]}  # fmt: skip


def _name(release: Release | None) -> str:
    return release.name if release else "-"
