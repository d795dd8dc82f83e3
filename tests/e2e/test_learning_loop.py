"""Tasks go in, lessons are learned, the next answers are better; and nothing is lost on the way."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter

import pytest

from ace.testing.llm import ChatRequest, ScriptedLLM
from tests.e2e.conftest import Ace

ITEMS = ["amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath"]


def asked(llm: ScriptedLLM) -> Counter[str]:
    """How often each question was put to the model, by what it was put for."""

    def name(request: ChatRequest) -> str:
        role = "reflect" if "lessons" in (request.schema or {}).get("properties", {}) else "answer"
        item = re.findall(r"code of item (\w+)", request.prompt)[-1]
        return f"{role} {item}"

    return Counter(name(request) for request in llm.requests)


def test_what_was_learned_is_used(ace: Ace) -> None:
    learned = ace.json("learn", ace.tasks("tasks.jsonl", ITEMS), "--domain", "shop")
    assert learned["learning"]["bullets"] == len(ITEMS)
    assert learned["learning"]["calls_per_step"] == 2
    worth = ace.json("eval", "tasks.jsonl", "--domain", "shop")["comparison"]
    assert (worth["without"]["value"], worth["with_playbook"]["value"], worth["losses"]) == (0, 1, 0)
    bullets = ace.json("playbook", "show", "--domain", "shop")
    assert {bullet["stage"] for bullet in bullets} == {"shadow"}
    assert "sound" in ace("playbook", "verify", "--domain", "shop").stdout


def test_training_keeps_the_best_playbook_and_ends_with_a_report(ace: Ace) -> None:
    result = ace.json("train", ace.tasks("tasks.jsonl", ITEMS), "--epochs", "2", "--validation", "0.25")
    assert [round_["epoch"] for round_ in result["validation"]] == [0, 1, 2]
    assert result["kept"][0]["best"]["correct"] == max(round_["correct"] for round_ in result["validation"])
    assert "<svg" in (ace.home / result["report"]).read_text()
    assert "sound" in ace("playbook", "verify").stdout


@pytest.mark.parametrize("moment", [3, 9, 14])
def test_a_killed_training_goes_on_and_pays_for_nothing_twice(ace: Ace, llm: ScriptedLLM, moment: int) -> None:
    command = ("train", ace.tasks("tasks.jsonl", ITEMS), "--epochs", "1", "--validation", "0", "--batch", "2")
    victim = ace.start(*command)
    while len(llm.requests) < moment and victim.poll() is None:
        time.sleep(0.005)
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    in_flight = 2  # calls being made when the process died may be made again
    result = ace.json(*command)
    assert result["learning"]["steps"] == len(ITEMS)
    assert result["learning"]["bullets"] == len(ITEMS)
    assert sum(asked(llm).values()) <= 2 * len(ITEMS) + in_flight
    assert "sound" in ace("playbook", "verify").stdout
    before = len(llm.requests)
    assert ace.json(*command)["learning"] == result["learning"]
    assert len(llm.requests) == before, "a finished run asks nothing"


def test_two_processes_learn_into_one_domain(ace: Ace) -> None:
    halves = ace.tasks("one.jsonl", ITEMS[:5]), ace.tasks("two.jsonl", ITEMS[3:])
    both = [ace.start("learn", half, "--domain", "shop") for half in halves]
    assert [process.wait(timeout=240) for process in both] == [0, 0], [process.communicate() for process in both]
    bullets = ace.json("playbook", "show", "--domain", "shop")
    assert Counter(re.findall(r"item (\w+)", bullet["content"])[0] for bullet in bullets) == Counter(ITEMS)
    assert sum(bullet["helpful_count"] for bullet in bullets) == 2, "the two items both learned are confirmed once each"
    assert "sound" in ace("playbook", "verify", "--domain", "shop").stdout


def test_a_limit_stops_politely_and_a_higher_one_goes_on(ace: Ace, llm: ScriptedLLM) -> None:
    command = ("learn", ace.tasks("tasks.jsonl", ITEMS), "--domain", "shop")
    first = ace.json(*command, "--max-calls", "6")
    assert "6 calls" in first["stopped"]
    assert first["learning"]["steps"] == 3
    second = ace.json(*command)
    assert (second["stopped"], second["learning"]["steps"]) == ("", len(ITEMS))
    assert max(asked(llm).values()) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('{"question": "What', "line 1", id="truncated-json"),
        pytest.param('{"answer": "x"}', "question", id="missing-field"),
        pytest.param("", "empty", id="empty-file"),
        pytest.param('["question"]', "line 1", id="not-an-object"),
    ],
)
def test_a_bad_file_is_named_and_nothing_is_written(ace: Ace, text: str, says: str) -> None:
    (ace.home / "bad.jsonl").write_text(text)
    message = ace("learn", "bad.jsonl", code=2).stderr
    assert "bad.jsonl" in message
    assert says in message
    assert not (ace.home / "data" / "runs").exists()


def test_a_missing_file_is_an_error_of_yours(ace: Ace) -> None:
    assert "nowhere.jsonl" in ace("learn", "nowhere.jsonl", code=2).stderr


def test_a_model_that_answers_nonsense_is_counted_and_teaches_nothing(ace: Ace) -> None:
    with ScriptedLLM(["%%%"]) as fool:
        result = ace("learn", ace.tasks("t.jsonl", ITEMS[:2]), "--json", ACE_MODEL_BASE_URL=fool.url)
    assert '"failed": 2' in result.stdout


def test_a_model_that_is_away_is_an_outage(ace: Ace) -> None:
    message = ace("learn", ace.tasks("t.jsonl", ITEMS[:1]), code=4, ACE_MODEL_BASE_URL="http://127.0.0.1:9/v1").stderr
    assert "127.0.0.1:9" in message
    assert "Traceback" not in message
