"""Evidence never promotes what the fixed gates would not, and every decision can be made again from what was kept."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.evidence import Ruling, decide, family, gather, helpful_e_value, redecide, rule
from ace.core.gates import Gate, Verdict
from ace.core.trials import Stakes, Trial, after
from ace.models.evidence import Bars, Case, Evidence, Family, Policy
from ace.models.playbook import Bullet, PlaybookStage

LEVELS = {
    PlaybookStage.SHADOW: Gate(helpful_min=3, ratio_min=3.0),
    PlaybookStage.STAGING: Gate(helpful_min=5, ratio_min=5.0),
}
GATES = {stage.value: (gate.helpful_min, gate.ratio_min) for stage, gate in LEVELS.items()}
STRONG = Evidence(bullet_id="b", stage=PlaybookStage.SHADOW, helpful_count=9, harmful_count=1, supporters=3,
                  supporting_clusters=3, wins=20, losses=2)  # fmt: skip
COUNT = st.integers(0, 12)


def case(evidence: Evidence, policy: Policy = Policy.EVIDENCE, bar: float | None = 20.0) -> Case:
    return Case(policy=policy, evidence=evidence, gates=GATES, family=Family(size=10, bar=bar))


@st.composite
def records(draw: st.DrawFn) -> Evidence:
    counts = {name: draw(COUNT) for name in ("helpful_count", "harmful_count", "supporters", "supporting_clusters",
                                             "objectors", "objecting_clusters", "wins", "losses")}  # fmt: skip
    live = {name: draw(st.floats(0.0, 1e6)) for name in ("live_helpful", "live_harmful")}
    return Evidence(bullet_id="b", stage=draw(st.sampled_from(PlaybookStage)), **counts, **live)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        pytest.param({}, "rise", id="everything-there"),
        pytest.param({"helpful_count": 2}, "stay", id="the-floor-is-missed"),
        pytest.param({"supporters": 1}, "stay", id="one-principal"),
        pytest.param({"supporting_clusters": 1}, "stay", id="one-kind-of-task"),
        pytest.param({"wins": 3}, "stay", id="too-little-evidence"),
        pytest.param({"harmful_count": 9}, "stay", id="fixed-quarantine-not-confirmed"),
        pytest.param({"harmful_count": 9, "objectors": 3, "objecting_clusters": 2}, "quarantine", id="confirmed"),
        pytest.param({"wins": 1, "losses": 9}, "quarantine", id="harm-shown"),
        pytest.param({"stage": PlaybookStage.STAGING}, "rise", id="on-to-prod"),
        pytest.param({"stage": PlaybookStage.STAGING, "supporters": 2}, "stay", id="prod-asks-for-three"),
        pytest.param({"stage": PlaybookStage.PROD}, "stay", id="the-top"),
        pytest.param({"stage": PlaybookStage.PROD, "wins": 0, "losses": 9}, "quarantine", id="prod-falls-too"),
        pytest.param({"stage": PlaybookStage.QUARANTINED}, "stay", id="only-a-person-restores"),
    ],
)
def test_the_table(changes: dict[str, object], verdict: str) -> None:
    assert decide(case(replace(STRONG, **changes))).verdict == Verdict(verdict)  # type: ignore[arg-type]


@pytest.mark.parametrize("bar", [pytest.param(None, id="nobody-passes"), pytest.param(1e9, id="out-of-reach")])
def test_prod_waits_for_the_family(bar: float | None) -> None:
    staging = replace(STRONG, stage=PlaybookStage.STAGING)
    assert decide(case(staging, bar=bar)).verdict == Verdict.STAY
    assert decide(case(STRONG, bar=bar)).verdict == Verdict.RISE  # STAGING does not


@given(records())
def test_evidence_never_promotes_what_fixed_would_not(evidence: Evidence) -> None:
    if decide(case(evidence)).verdict == Verdict.RISE:
        assert decide(case(evidence, Policy.FIXED)).verdict == Verdict.RISE


@given(records())
def test_a_kept_decision_is_made_again_the_same(evidence: Evidence) -> None:
    for policy in Policy:
        made = Ruling(case=case(evidence, policy), decision=decide(case(evidence, policy)))
        kept = json.loads(json.dumps(made.to_json(), allow_nan=False))
        assert redecide(kept) == made.decision
        assert kept["reason"]


@given(records(), st.integers(1, 12))
def test_more_wins_never_turn_a_rise_into_a_stay(evidence: Evidence, more: int) -> None:
    if decide(case(evidence)).verdict == Verdict.RISE:
        assert decide(case(replace(evidence, wins=evidence.wins + more))).verdict == Verdict.RISE


@given(st.lists(records(), min_size=1, max_size=8))
def test_a_domain_is_ruled_on_bullet_by_bullet_with_one_family(evidence: list[Evidence]) -> None:
    rulings = rule(evidence, policy=Policy.EVIDENCE, levels=LEVELS, bars=Bars())
    assert [ruling.case.evidence for ruling in rulings] == evidence
    shared = family([helpful_e_value(one) for one in evidence], Bars())
    assert {ruling.case.family for ruling in rulings} == {shared}


def test_what_is_gathered_is_what_was_seen() -> None:
    trial = Trial(shown=True, probability=0.5, success=True)
    stakes = {name: after(Stakes(), trial) for name in ("a", "b")}
    bullet = Bullet(id="b", domain_id="d", content="x", helpful_count=2)
    seen = gather(bullet, wins=1, losses=2, stakes=stakes)
    assert (seen.helpful_count, seen.wins, seen.losses, seen.trials) == (2, 1, 2, 2)
    assert seen.live_helpful > 1 > seen.live_harmful
