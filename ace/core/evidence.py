"""Promotion by evidence: a case in, one decision out. The first line that holds decides.

    quarantined, or archived                                                 -> STAY
    the e-value for harm reaches its bar                                     -> QUARANTINE
    the fixed gate quarantines, and enough principals object                 -> QUARANTINE   (confirmed)
    the fixed gate does not let it rise                                      -> STAY         (the floor)
    too few principals or kinds of task support it                           -> STAY
    the e-value for good is below the stage's bar                            -> STAY
    towards PROD: false discovery control over the domain does not pass it   -> STAY
    anything else                                                            -> RISE one stage

So `evidence` never promotes what `fixed` would not; it may wait with a quarantine that rests on one unlucky vote.

Two sources with draws of their own, replayed pairs (`ace.core.evalues`) and randomised traffic (`ace.core.trials`),
make one e-value, E = pairs (1 + live) / 2: half of the fortune is staked on pairs alone, half goes on to live traffic,
so that traffic can multiply what pairs have shown, and take away at most half of it.
A decision is kept as its case, and `redecide` makes it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ace.core import gates
from ace.core.evalues import MOST, pairs_e_value, passing
from ace.core.gates import Decision, Gate, Gates, Verdict
from ace.core.trials import Stakes, e_values
from ace.core.voices import Chorus
from ace.models.evidence import Bars, Case, Evidence, Family, Policy
from ace.models.playbook import IN_USE, Bullet, PlaybookStage


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """A decision with the case it was made from."""

    case: Case
    decision: Decision

    def to_json(self) -> dict[str, Any]:
        return {**self.case.to_json(), "verdict": self.decision.verdict.value, "reason": self.decision.reason}


def gather(
    bullet: Bullet,
    *,
    chorus: Chorus | None = None,
    wins: int = 0,
    losses: int = 0,
    stakes: Mapping[str, Stakes] | None = None,
) -> Evidence:
    """One bullet's evidence; `stakes` are the live trials by principal."""
    heard, played = chorus or Chorus(), (stakes or {}).values()
    live_helpful, live_harmful = e_values(list(played))
    return Evidence(
        bullet_id=bullet.id,
        stage=bullet.stage,
        helpful_count=bullet.helpful_count,
        harmful_count=bullet.harmful_count,
        supporters=heard.supporters,
        supporting_clusters=heard.supporting_clusters,
        objectors=heard.objectors,
        objecting_clusters=heard.objecting_clusters,
        wins=wins,
        losses=losses,
        trials=sum(one.trials for one in played),
        live_helpful=live_helpful,
        live_harmful=live_harmful,
    )


def helpful_e_value(evidence: Evidence) -> float:
    """How strongly the bullet's good effect is shown."""
    return _joined(pairs_e_value(evidence.wins, evidence.losses), evidence.live_helpful)


def harmful_e_value(evidence: Evidence) -> float:
    """How strongly the bullet's harm is shown."""
    return _joined(pairs_e_value(evidence.losses, evidence.wins), evidence.live_harmful)


def _joined(pairs: float, live: float) -> float:
    return min(MOST, pairs * (1.0 + live) / 2.0)


def family(e_values: Collection[float], bars: Bars) -> Family:
    """All bullets evidence was ever gathered on in a domain, those that left it with the e-value they left with."""
    return Family(size=len(e_values), bar=passing(list(e_values), bars.false_discoveries))


def rule(
    records: Iterable[Evidence], *, policy: Policy, levels: Gates, bars: Bars, among: Family | None = None
) -> list[Ruling]:
    """Decide on each of a domain's bullets. `among` defaults to the family of these records."""
    known = list(records)
    shared = among or family([helpful_e_value(one) for one in known], bars)
    plain = {stage.value: (gate.helpful_min, gate.ratio_min) for stage, gate in levels.items()}
    cases = (Case(policy=policy, evidence=one, gates=plain, bars=bars, family=shared) for one in known)
    return [Ruling(case=case, decision=decide(case)) for case in cases]


_CASE = ("policy", "evidence", "gates", "bars", "family")


def redecide(data: Mapping[str, Any]) -> Decision:
    """The decision again, from a ruling's JSON."""
    return decide(Case.from_json({key: data[key] for key in _CASE if key in data}))


def decide(case: Case) -> Decision:
    """What the case asks for now."""
    fixed = _fixed(case)
    if case.policy == Policy.FIXED or case.evidence.stage not in IN_USE:
        return fixed
    harm = _harm(case, fixed)
    if harm is not None:
        return Decision(verdict=Verdict.QUARANTINE, reason=harm)
    if fixed.verdict == Verdict.QUARANTINE:
        return Decision(
            verdict=Verdict.STAY, reason=f"not confirmed by {case.bars.objectors} principals: {fixed.reason}"
        )
    if fixed.verdict == Verdict.STAY:
        return fixed
    missing = _missing(case)
    shown = f"{fixed.reason}; {_figures(case.evidence)}"
    return (
        Decision(verdict=Verdict.STAY, reason=f"{missing}; {shown}")
        if missing
        else Decision(verdict=Verdict.RISE, reason=shown)
    )


def _fixed(case: Case) -> Decision:
    seen = case.evidence
    bullet = Bullet(id=seen.bullet_id, domain_id="", content="", stage=seen.stage,
                    helpful_count=seen.helpful_count, harmful_count=seen.harmful_count)  # fmt: skip
    levels = {
        PlaybookStage(stage): Gate(helpful_min=least, ratio_min=ratio) for stage, (least, ratio) in case.gates.items()
    }
    return gates.decide(bullet, levels)


def _harm(case: Case, fixed: Decision) -> str | None:
    """Why the bullet has to go, or None."""
    seen, bars = case.evidence, case.bars
    if harmful_e_value(seen) >= bars.harm:
        return f"harm shown, bar {bars.harm:g}: {_figures(seen)}"
    agreed = seen.objectors >= bars.objectors and seen.objecting_clusters >= bars.objecting_clusters
    if fixed.verdict == Verdict.QUARANTINE and agreed:
        return f"{fixed.reason}; confirmed by {seen.objectors} principals in {seen.objecting_clusters} kinds of task"
    return None


def _missing(case: Case) -> str:
    """What the bullet lacks to rise, "" for nothing."""
    seen, bar = case.evidence, case.bars.of(case.evidence.stage)
    if bar is None:
        return "no bar for this stage"
    if seen.supporters < bar.principals or seen.supporting_clusters < bar.clusters:
        return (f"supported by {seen.supporters} of {bar.principals} principals "
                f"and {seen.supporting_clusters} of {bar.clusters} kinds of task")  # fmt: skip
    if helpful_e_value(seen) < bar.e_value:
        return f"e-value for good below {bar.e_value:g}"
    return _held_by_family(case) if seen.stage == PlaybookStage.STAGING else ""


def _held_by_family(case: Case) -> str:
    """Why false discovery control holds the bullet back, "" when it lets it pass."""
    among, value = case.family, helpful_e_value(case.evidence)
    if among.bar is not None and value >= among.bar:
        return ""
    least = "none" if among.bar is None else f"{among.bar:.4g} and more"
    return f"of {among.size} bullets judged together {least} may pass at {case.bars.false_discoveries:.0%} false"


def _figures(seen: Evidence) -> str:
    return (f"e-value for good {helpful_e_value(seen):.4g}, for harm {harmful_e_value(seen):.4g}; "
            f"pairs +{seen.wins} -{seen.losses}, {seen.trials} trials, {seen.supporters} principals")  # fmt: skip
