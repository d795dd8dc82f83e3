"""The policies, measured in a world where every bullet's effect is known. Fixed seeds; wide margins."""

from __future__ import annotations

import re
from statistics import fmean

import pytest

from ace.core.evidence import redecide
from ace.core.gates import Gate
from ace.models.evidence import Policy
from ace.models.playbook import PlaybookStage, Traffic
from ace.models.simulation import KindResult, Simulation
from ace.services.simulation import Setup, simulate
from ace.testing.world import LIAR, Laws, TaskWorld
from ace.utils.simulation_report import render

GATES = {
    PlaybookStage.SHADOW: Gate(helpful_min=3, ratio_min=3.0),
    PlaybookStage.STAGING: Gate(helpful_min=5, ratio_min=5.0),
}
KINDS = (
    ("strong", 0.15, 12, False),
    ("placebo", 0.0, 40, False),
    ("harmful", -0.10, 15, False),
    ("poison", -0.10, 3, True),
)
TASKS, SEED = 2400, 5


def run(policy: Policy, tasks: int = TASKS) -> Simulation:
    setup = Setup(policy=policy, gates=GATES, tasks=tasks, seed=SEED)
    return simulate(TaskWorld(SEED, Laws(kinds=KINDS)), setup)


@pytest.fixture(scope="module")
def evidence() -> Simulation:
    return run(Policy.EVIDENCE)


@pytest.fixture(scope="module")
def fixed() -> Simulation:
    return run(Policy.FIXED)


def kinds(result: Simulation) -> dict[str, KindResult]:
    return {kind.kind: kind for kind in result.kinds}


def test_with_evidence_good_bullets_rise_and_the_rest_does_not(evidence: Simulation) -> None:
    found = kinds(evidence)
    assert found["strong"].prod.value >= 0.7
    assert found["placebo"].prod.value <= 0.075
    assert found["harmful"].prod.value == found["poison"].prod.value == 0.0
    assert found["harmful"].quarantined.value >= 0.7
    assert found["strong"].quarantined.value <= 0.1


def test_fixed_gates_let_through_what_does_nothing_and_what_is_pushed(fixed: Simulation) -> None:
    found = kinds(fixed)
    assert found["placebo"].prod.value > 0.25
    assert fixed.false_in_prod.value > 0.4
    assert fixed.pairs == 0


def test_the_same_seed_gives_the_same_figures() -> None:
    assert run(Policy.EVIDENCE, tasks=150) == run(Policy.EVIDENCE, tasks=150)


def test_every_decision_of_the_last_review_can_be_made_again(evidence: Simulation) -> None:
    assert evidence.last_rulings
    for kept in evidence.last_rulings:
        again = redecide(kept)
        assert (again.verdict.value, again.reason) == (kept["verdict"], kept["reason"])


def test_a_planted_effect_is_what_it_was_planted_as() -> None:
    """2,000 tasks, each run with nothing and with one bullet."""
    world = TaskWorld(1, Laws(kinds=KINDS))
    pairs = [world.pair(world.task(number), "strong-000", 0) for number in range(2000)]
    assert fmean(without for without, _ in pairs) == pytest.approx(0.76, abs=0.03)
    assert fmean(having - without for without, having in pairs) == pytest.approx(0.15, abs=0.03)


def test_the_tasks_of_a_world_do_not_depend_on_what_was_done_before() -> None:
    one, other = TaskWorld(3), TaskWorld(3)
    for number in range(5):
        one.attempt(one.task(number), ())
    assert one.task(5) == other.task(5)
    assert one.attempt(one.task(5), ()) == other.attempt(other.task(5), ())


def test_the_liar_praises_what_it_pushes_and_stuffs_votes() -> None:
    world = TaskWorld(4, Laws(kinds=KINDS))
    task = next(task for task in map(world.task, range(200)) if task.principal == LIAR)
    assert task.traffic in Traffic
    assert world.report(task, ["poison-000"], success=False).success
    assert {vote.bullet_id for vote in world.stuffed(task)} == {"poison-000", "poison-001", "poison-002"}


def test_the_page_shows_both_and_needs_nothing_else(evidence: Simulation, fixed: Simulation) -> None:
    page = render([fixed, evidence])
    assert page.count("<svg") == 2
    assert "placebo (no effect), 40" in page
    assert not re.search(r"<script|https?://|@import|url\(", page)
