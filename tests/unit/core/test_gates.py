"""A gate's verdict is a table, and stages are climbed one at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.gates import Gate, Verdict, after, decide
from ace.core.replay import NEXT_STAGE, staged
from ace.models.playbook import Bullet, PlaybookStage
from ace.models.staging import Move

GATES = {
    PlaybookStage.SHADOW: Gate(helpful_min=3, ratio_min=3.0),
    PlaybookStage.STAGING: Gate(helpful_min=5, ratio_min=5.0),
}


def bullet(stage: PlaybookStage, helpful: int, harmful: int) -> Bullet:
    counts = {"helpful_count": helpful, "harmful_count": harmful}
    return Bullet(id="b", domain_id="d", content="x", stage=stage, **counts)


@pytest.mark.parametrize(
    ("stage", "helpful", "harmful", "verdict"),
    [
        pytest.param("shadow", 0, 0, "stay", id="unknown"),
        pytest.param("shadow", 2, 0, "stay", id="too-few"),
        pytest.param("shadow", 3, 0, "rise", id="just-enough"),
        pytest.param("shadow", 3, 1, "rise", id="ratio-met"),
        pytest.param("shadow", 5, 2, "stay", id="ratio-missed"),
        pytest.param("shadow", 1, 1, "quarantine", id="as-harmful-as-helpful"),
        pytest.param("shadow", 0, 1, "quarantine", id="harmful-and-never-helpful"),
        pytest.param("staging", 4, 0, "stay", id="staging-too-few"),
        pytest.param("staging", 5, 1, "rise", id="staging-enough"),
        pytest.param("staging", 9, 2, "stay", id="staging-ratio-missed"),
        pytest.param("prod", 100, 0, "stay", id="top"),
        pytest.param("prod", 4, 4, "quarantine", id="prod-falls-too"),
        pytest.param("quarantined", 100, 0, "stay", id="only-a-person-restores"),
    ],
)
def test_the_table(stage: str, helpful: int, harmful: int, verdict: str) -> None:
    decision = decide(bullet(PlaybookStage(stage), helpful, harmful), GATES)
    assert decision.verdict == Verdict(verdict)


@given(st.sampled_from(PlaybookStage), st.integers(0, 30), st.integers(0, 30))
def test_what_is_due_is_always_a_step_the_stages_allow(stage: PlaybookStage, helpful: int, harmful: int) -> None:
    before, verdict = bullet(stage, helpful, harmful), decide(bullet(stage, helpful, harmful), GATES).verdict
    move = Move(bullet_id="b", before=stage, after=after(stage, verdict), reason="r")
    if verdict == Verdict.STAY:
        assert move.after == stage
    else:
        assert staged(before, move.operation).stage == move.after
        assert move.after in {NEXT_STAGE.get(stage), PlaybookStage.QUARANTINED}
