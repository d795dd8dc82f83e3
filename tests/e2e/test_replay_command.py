"""`ace replay` as it is typed, against a model server over HTTP whose bullets have known effects."""

# ruff: noqa: F811  fixtures

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest

from ace.models.playbook import PlaybookStage
from ace.testing.llm import ScriptedLLM
from tests.e2e.shop import SHOP, Shop, llm, shop  # noqa: F401  fixtures
from tests.playbooks import assert_sound, bullet
from tests.replays import HARMFUL, HELPFUL, PLACEBO, reported, task


def run_stage_manager(shop: Shop) -> None:
    environment = {**os.environ, "ACE_DATA_DIR": str(shop.ace.home / "data"), "ACE_POLICY": "evidence"}
    command = [sys.executable, "-m", "ace.ops.stage_manager", "--domain", SHOP]
    subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True)


def test_pairs_promote_what_helps_and_quarantine_what_harms(shop: Shop) -> None:
    helpful, harmful, placebo = shop.add(HELPFUL, HARMFUL, PLACEBO, voted=True)
    shop.report(24)
    run_stage_manager(shop)
    assert {shop.stage(own) for own in (helpful, harmful, placebo)} == {PlaybookStage.SHADOW}, "votes are not enough"
    found = [shop.replay("bullet", own, "--pairs", "20") for own in (helpful, harmful, placebo)]
    assert [one["ended"] for one in found] == ["helps", "harms", "enough"]
    assert [(one["pairs"]["wins"], one["pairs"]["losses"]) for one in found] == [(4, 0), (0, 3), (0, 0)]
    run_stage_manager(shop)
    assert [shop.stage(own).value for own in (helpful, harmful, placebo)] == ["staging", "quarantined", "shadow"]
    assert_sound(shop.store, SHOP)
    assert "sound" in shop.ace("playbook", "verify", "--domain", SHOP).stdout


def test_a_limit_stops_politely_and_a_higher_one_goes_on(shop: Shop, llm: ScriptedLLM) -> None:
    (own,) = shop.add(PLACEBO)
    shop.report(12)
    command = ("bullet", own, "--pairs", "10")
    first = shop.replay(*command, "--max-calls", "7")
    assert (first["pairs"]["ties"], first["ended"], "7 calls" in first["stopped"]) == (3, None, True)
    second = shop.replay(*command)
    assert (second["run"], second["pairs"]["ties"], second["ended"]) == (first["run"], 10, "enough")
    assert len(llm.requests) == 20, "nothing is paid for twice"
    third = shop.replay(*command)
    assert (third["run"], third["pairs"]["ties"], third["ended"]) == (f"{first['run']}-2", 2, "no_tasks")
    assert third["all_pairs"]["ties"] == sum(entry["ties"] for entry in shop.pairs()) == 12


@pytest.mark.parametrize("moment", [1, 7])
def test_a_killed_run_neither_loses_nor_doubles_a_pair(shop: Shop, llm: ScriptedLLM, moment: int) -> None:
    (own,) = shop.add(HELPFUL)
    shop.report(30)
    victim = shop.ace.start("replay", "bullet", own, "--domain", SHOP, "--pairs", "30")
    while len(llm.requests) < moment and victim.poll() is None:
        time.sleep(0.005)
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    found = shop.replay("bullet", own, "--pairs", "30")
    assert (found["ended"], found["all_pairs"]["wins"]) == ("helps", 4)
    assert sum(entry["wins"] for entry in shop.pairs()) == 4
    assert len(llm.requests) <= 2 * found["pairs"]["wins"] + 2 * found["pairs"]["ties"] + 2, "those in flight"


def test_what_is_due_is_worked_off(shop: Shop) -> None:
    helpful, placebo = shop.add(HELPFUL, PLACEBO, voted=True)
    (unvoted,) = shop.add("Count the items twice.")
    shop.report(20)
    assert [one["wins_left"] for one in shop.replay("due")] == [4, 4]
    done = shop.replay("due", "--run", "--pairs", "12", "--max-calls", "500")
    assert {one["bullet"]: one["ended"] for one in done["bullets"]} == {helpful: "helps", placebo: "enough"}
    assert [one["bullet"] for one in shop.replay("due")] == [placebo]
    assert unvoted not in {one["bullet"] for one in done["bullets"]}
    assert "wins left" in shop.ace("replay", "due", "--domain", SHOP).stdout


def test_two_releases_are_compared_on_the_same_tasks(shop: Shop) -> None:
    shop.add(PLACEBO)
    shop.ace("release", "create", "before", "--domain", SHOP)
    shop.add(HELPFUL)
    shop.report(40)
    found = shop.replay("release", "head", "--against", "before")
    assert (found["verdict"], found["pairs"]["losses"], found["a"]["position"]) == ("better", 0, 2)
    text = shop.ace("replay", "release", "before", "--against", "head", "--domain", SHOP).stdout
    assert "worse" in text


def test_the_one_of_forty_that_broke_a_task_is_named_and_taken_out(shop: Shop, llm: ScriptedLLM) -> None:
    place = 17
    texts = [f"Note {number}: be friendly." for number in range(40)]
    texts[place] = HARMFUL
    own = shop.add(*texts)
    shop.episodes.report(reported(2, shown=own, domain=SHOP))
    found = shop.replay("blame", "e2", "--quarantine", "--reason", "makes clerks guess")
    assert [[one["text"] for one in cause] for cause in found["causes"]] == [[HARMFUL]]
    assert found["runs"] == len(llm.requests) <= 2 * math.ceil(math.log2(40)) + 3
    assert shop.replay("blame", "e2")["causes"] == found["causes"]
    assert found["runs"] == len(llm.requests), "asked again, it pays for nothing"
    assert (found["quarantined"], shop.stage(own[place])) == ([own[place]], PlaybookStage.QUARANTINED)
    assert sum(shop.stage(one) == PlaybookStage.QUARANTINED for one in own) == 1


def test_blame_is_honest_about_what_bullets_did_not_do(shop: Shop) -> None:
    own = shop.add(PLACEBO, "Note: be friendly.")
    for number in (2, 3):  # the even one succeeds whatever is shown, the odd one fails
        shop.episodes.report(reported(number, shown=own, domain=SHOP))
    assert [shop.replay("blame", name)["guilt"] for name in ("e2", "e3")] == ["succeeds", "fails_anyway"]
    assert "not to blame" in shop.ace("replay", "blame", "e3", "--domain", SHOP).stdout


def test_blame_stopped_by_a_limit_says_who_is_suspected_and_goes_on(shop: Shop, llm: ScriptedLLM) -> None:
    own = shop.add(*(f"Note {number}: be friendly." for number in range(7)), HARMFUL)
    shop.episodes.report(reported(2, shown=own, domain=SHOP))
    first = shop.replay("blame", "e2", "--max-calls", "4")
    assert (first["guilt"], first["suspects"]) == ("open", own[4:])
    second = shop.replay("blame", "e2")
    assert second["causes"][0][0]["id"] == own[7]
    assert len(llm.requests) == second["runs"], "the first four are not asked again"


def test_a_task_of_a_file_is_blamed_with_what_retrieval_finds_for_it(shop: Shop) -> None:
    shop.add(HARMFUL, PLACEBO, HELPFUL)
    asked = task(4)
    line = {"id": asked.id, "question": asked.question, "ground_truth": asked.ground_truth}
    (shop.ace.home / "t.jsonl").write_text(json.dumps(line) + "\n")
    found = shop.replay("blame", "t4", "--tasks", "t.jsonl", "--repeat", "3")
    assert [one["text"] for cause in found["causes"] for one in cause] == [HARMFUL]
    replayed = shop.replay("bullet", bullet(HARMFUL, domain=SHOP).id, "--tasks", "t.jsonl")
    assert (replayed["pairs"]["losses"], replayed["ended"]) == (1, "no_tasks")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(("bullet", "strategy-aaaaaaaaaa"), "no bullet strategy-aaaaaaaaaa", id="unknown-bullet"),
        pytest.param(("blame", "nowhere"), "no episode nowhere", id="unknown-episode"),
        pytest.param(("blame", "e3", "--quarantine"), "--reason", id="no-reason"),
        pytest.param(("blame", "e3"), "was shown no bullet", id="nothing-shown"),
        pytest.param(("blame", "e9"), "right answer", id="no-truth"),
        pytest.param(("release", "head", "--against", "gone"), "gone", id="unknown-release"),
        pytest.param(("bullet", "x", "--tasks", "nowhere.jsonl"), "nowhere.jsonl", id="missing-file"),
    ],
)
def test_what_cannot_be_replayed_is_an_error_of_yours(shop: Shop, words: tuple[str, ...], says: str) -> None:
    shop.add(PLACEBO)
    shop.episodes.report(reported(3, domain=SHOP))
    shop.episodes.report(reported(9, truth=False, domain=SHOP))
    assert says in shop.ace("replay", *words, "--domain", SHOP, code=2).stderr
    assert not (shop.ace.home / "data" / "runs").exists(), "no model was started"


def test_a_model_that_is_away_is_an_outage(shop: Shop) -> None:
    (own,) = shop.add(PLACEBO)
    shop.report(2)
    away = {"ACE_MODEL_BASE_URL": "http://127.0.0.1:9/v1"}
    message = shop.ace("replay", "bullet", own, "--domain", SHOP, code=4, **away).stderr
    assert "Traceback" not in message
    assert shop.pairs() == []
