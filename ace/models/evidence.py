"""What is known about one bullet when its stage is decided, and the bars it is held against.

A `Case` is all that a decision rests on. It is plain JSON, so that a decision can be kept, read, and made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from ace.models.playbook import PlaybookStage
from ace.models.run import Interval


class Policy(StrEnum):
    """Which rule moves bullets."""

    FIXED = "fixed"  # counters against fixed gates
    EVIDENCE = "evidence"  # the gates are the floor; e-values, corroboration and false discovery control on top


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One bullet's record.

    Counters count votes of episodes; supporters and objectors count principals, each once; the clusters are kinds of
    task in which they voted so. `wins` and `losses` are replayed pairs. `live_*` are e-values of randomised traffic.
    """

    bullet_id: str
    stage: PlaybookStage
    helpful_count: int = 0
    harmful_count: int = 0
    supporters: int = 0
    supporting_clusters: int = 0
    objectors: int = 0
    objecting_clusters: int = 0
    wins: int = 0
    losses: int = 0
    trials: int = 0
    live_helpful: float = 1.0
    live_harmful: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """What is not known is left out."""
        told = {own.name: getattr(self, own.name) for own in fields(self) if getattr(self, own.name) != own.default}
        return {**told, "stage": self.stage.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "stage": PlaybookStage(data["stage"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """What leaving a stage takes beyond the fixed gate: an e-value, and so many principals and task clusters."""

    e_value: float
    principals: int
    clusters: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """The evidence policy's numbers.

    `harm`: the e-value for harm that quarantines. `objectors`, `objecting_clusters`: who must agree before a fixed
    gate's quarantine is carried out. `false_discoveries`: the share of PROD promotions that may be wrong, expected.
    """

    staging: Bar = field(default_factory=lambda: Bar(e_value=5.0, principals=2, clusters=2))
    prod: Bar = field(default_factory=lambda: Bar(e_value=20.0, principals=3, clusters=3))
    harm: float = 3.0
    objectors: int = 3
    objecting_clusters: int = 2
    false_discoveries: float = 0.1

    def of(self, stage: PlaybookStage) -> Bar | None:
        """The bar to leave this stage upwards."""
        return {PlaybookStage.SHADOW: self.staging, PlaybookStage.STAGING: self.prod}.get(stage)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "staging": Bar(**data["staging"]), "prod": Bar(**data["prod"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """The bullets of a domain judged together: how many there are, and the least e-value that passes; None: none."""

    size: int = 0
    bar: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """Shares of success with and without, their difference, and e-values that the playbook helps, and that it harms."""

    with_playbook: Interval
    held_out: Interval
    difference: Interval
    helps: float = 1.0
    harms: float = 1.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """All that decides: the policy, the evidence, the gates as {stage: (helpful_min, ratio_min)}, bars and family."""

    policy: Policy
    evidence: Evidence
    gates: Mapping[str, tuple[int, float]]
    bars: Bars = field(default_factory=Bars)
    family: Family = field(default_factory=Family)

    def to_json(self) -> dict[str, Any]:
        """By fixed gates, bars and family decide nothing, and are left out."""
        gates = {stage: list(gate) for stage, gate in self.gates.items()}
        fixed = {"policy": self.policy.value, "evidence": self.evidence.to_json(), "gates": gates}
        if self.policy == Policy.FIXED:
            return fixed
        return fixed | {"bars": asdict(self.bars), "family": asdict(self.family)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        gates = {stage: (int(helpful), float(ratio)) for stage, (helpful, ratio) in data["gates"].items()}
        return cls(policy=Policy(data["policy"]), evidence=Evidence.from_json(data["evidence"]), gates=gates,
                   bars=Bars.from_json(data["bars"]) if "bars" in data else Bars(),
                   family=Family(**data.get("family", {})))  # fmt: skip
