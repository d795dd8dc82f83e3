"""`ace bench` as it is typed, against a model server whose knowledge is what stands in its prompt: figures are exact.

One bench of every method in every setting is run once, whole; what it left is looked at from several sides.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ace.core.sampling import shuffled
from ace.models.task import Task
from ace.testing.llm import ChatRequest, Reply, ScriptedLLM
from ace.utils.bench_tasks import load_data
from tests.e2e.conftest import Ace
from tests.e2e.tickets import DESKS, DEVICE, FILE, SLOW_S, is_reflection, porter

TASKS, EPOCHS, CONCURRENCY = 5, 2, 3
SIZE = ("--limit", str(TASKS), "--epochs", str(EPOCHS), "--validation", "0", "--concurrency", str(CONCURRENCY))
BENCH = ("bench", str(FILE), *SIZE)
DATA = load_data(str(FILE), data=None, test=0.5, validation=0, limit=TASKS)


def device(task: Task) -> str:
    return str(DEVICE.findall(task.question)[0][0])


def right(*, learned: set[str], learning: bool = False) -> int:
    """How many of the test part are answered by whoever knows these devices, and perhaps each device it has met."""
    known, count = set(learned), 0
    for task in shuffled(DATA.test, 1):
        count += device(task) in known
        known |= {device(task)} if learning else set()
    return count


@dataclass
class Whole:
    """The bench that was run: what it said, what it asked, and where."""

    ace: Ace
    result: dict[str, Any]
    requests: list[ChatRequest]
    at: list[float] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.ace.home / str(self.result["folder"])

    def row(self, setting: str | None, method: str) -> dict[str, Any]:
        (found,) = [row for row in self.result["table"]["rows"] if (row["setting"], row["method"]) == (setting, method)]
        return dict(found)

    def calls(self) -> Counter[tuple[str, str]]:
        """The finished calls of each arm, by what they were for."""
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        scopes = [json.loads(line)["scope"] for line in lines]
        named = (re.search(r"tickets\.(s0[\w.]*)\.(?:train|test|stream)/.*?/(generator|reflector)", one)
                 for one in scopes)  # fmt: skip
        return Counter((found[1], found[2]) for found in named if found)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Whole]:
    home, at = tmp_path_factory.mktemp("bench"), list[float]()

    def noted(request: ChatRequest) -> Reply:
        at.append(time.monotonic())
        return porter(request)

    with ScriptedLLM(noted) as server:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ACE_")}
        ours = {"ACE_DATA_DIR": str(home / "data"), "ACE_MODELS_DIR": str(models_dir), "ACE_MODEL": "openai/porter",
                "ACE_DEDUPE": "cosine", "ACE_MODEL_BASE_URL": server.url}  # fmt: skip
        ace = Ace(home, {**inherited, **ours})
        result = ace.json(*BENCH, "--run", "whole")
        yield Whole(ace=ace, result=result, requests=list(server.requests), at=at)


@pytest.fixture
def asked_since(whole: Whole) -> int:
    """How many requests the server has had."""
    return len(whole.at)


def rights(rows: list[dict[str, Any]]) -> dict[tuple[str | None, str], int]:
    """How many answers of each row are right."""
    figures = ((row, figure["accuracy"]) for row in rows for figure in row["figures"].values())
    return {(row["setting"], row["method"]): round(found["value"] * found["n"]) for row, found in figures}


def test_the_table_of_a_world_whose_answers_are_known(whole: Whole) -> None:
    """Who was trained on a device knows it, who learns from the stream knows those it met; without labels none."""
    trained = {device(task) for task in DATA.train}
    known, met = right(learned=trained), right(learned=set(), learning=True)
    both = right(learned=trained, learning=True)
    assert 0 < met < known < TASKS, "the sizes are chosen so that each is another figure"
    assert rights(whole.result["table"]["rows"]) == {
        (None, "base"): 0,
        **{("offline", name): known for name in ("few-shot", "full-history", "ace", "ace-one-epoch",
                                                 "ace-no-reflector")},
        ("offline", "copy-nearest"): known,
        **{("online", name): met for name in ("copy-nearest", "few-shot", "full-history", "ace", "ace-no-reflector")},
        ("online", "ace-warm"): both,
        **{("offline-unlabelled", name): 0 for name in ("full-history", "ace", "ace-one-epoch", "ace-no-reflector")},
        **{("online-unlabelled", name): 0 for name in ("full-history", "ace", "ace-warm", "ace-no-reflector")},
    }  # fmt: skip


def test_each_method_differs_in_the_way_it_says(whole: Whole) -> None:
    calls = whole.calls()
    assert sum(calls.values()) == len(whole.requests) == whole.result["usage"]["calls"]
    reflected = {arm: n for (arm, role), n in calls.items() if role == "reflector"}
    answered = {arm: n for (arm, role), n in calls.items() if role == "generator"}
    trained, stream = TASKS * EPOCHS, TASKS
    assert reflected == {
        **{f"s0.ace.{labels}.e{EPOCHS}": trained + stream for labels in ("labels", "unlabelled")},  # and goes on warm
        **{f"s0.ace.{labels}.e1": TASKS for labels in ("labels", "unlabelled")},
        **{f"s0.ace.{labels}.fresh": stream for labels in ("labels", "unlabelled")},
    }, "what is unreflected, or no playbook, asks no reflector"
    assert answered["s0.nearest.labels.e1"] == TASKS, "labelled examples are read, not answered"
    assert answered["s0.everything.unlabelled.e1"] == 2 * TASKS, "without labels, its own answers are its history"
    assert answered["s0.raw.labels.e2"] == trained + TASKS
    assert not [arm for arm in answered if ".copying." in arm], "no model is asked"
    spent = whole.row("online", "ace-warm")["spending"]["tickets"]
    assert (spent["adapting"]["calls"], spent["answering"]["calls"]) == (2 * trained + stream, stream)


def test_hidden_labels_reach_no_reflector_and_no_memory(whole: Whole) -> None:
    told = Counter(
        any(desk in request.prompt for desk in DESKS) for request in whole.requests if is_reflection(request)
    )
    reflected = Counter(".unlabelled." not in arm for arm, role in whole.calls().elements() if role == "reflector")
    assert told == reflected, "each labelled reflection is told the desk, no other is"
    logs = {file: file.read_text() for file in (whole.folder / "arms").rglob("*.jsonl")}
    hidden = {text for file, text in logs.items() if ".unlabelled." in str(file)}
    assert hidden
    assert not [text for text in hidden if re.search(r'"expected":"', text) or any(desk in text for desk in DESKS)]
    assert [text for text in logs.values() if '"expected":"north desk"' in text], "where they may be seen they are"


def test_no_more_tasks_at_one_time_than_asked_for(whole: Whole) -> None:
    together = [sum(begun <= other < begun + SLOW_S for other in whole.at) for begun in whole.at]
    assert 1 < max(together) <= CONCURRENCY


def test_the_outputs_say_the_same(whole: Whole) -> None:
    table = whole.result["table"]
    known = table["rows"][1]["figures"]["tickets"]["accuracy"]["value"]
    markdown = (whole.folder / "table.md").read_text()
    assert f"| ace | yes | {100 * known:.1f} (+{100 * known:.1f}) |" in markdown
    assert "| *Online adaptation* |" in markdown
    assert "copying the nearest answer, without a model, is right in" in markdown
    assert json.loads((whole.folder / "table.json").read_text()) == table
    header, *lines = (whole.folder / "table.csv").read_text().splitlines()
    assert header.startswith("dataset,setting,labels,method,seed,n,accuracy,low,high,difference")
    assert len(lines) == 2 * len(table["rows"]), "each over all seeds, and for its one seed"
    page = (whole.folder / "report.html").read_text()
    assert "Offline adaptation" in page
    assert not re.search(r"https?://|<script", page)
    again = whole.ace.json("report", "whole", "--out", "again.html")
    assert (whole.ace.home / again["report"]).read_text() == page


def without_clocks(found: Any) -> Any:
    """The same, without what took how long."""
    if isinstance(found, dict):
        return {name: without_clocks(one) for name, one in found.items() if not name.endswith("_s")}
    return [without_clocks(one) for one in found] if isinstance(found, list) else found


def test_stopped_by_a_limit_and_killed_it_goes_on_to_the_same_table(whole: Whole, asked_since: int) -> None:
    command = (*BENCH, "--methods", "base,few-shot,full-history,ace,ace-warm", "--run", "broken",
               "--settings", "offline,online")  # fmt: skip
    first = whole.ace.json(*command, "--max-calls", str(TASKS + 2))
    assert f"{TASKS + 2} calls" in first["stopped"]
    assert f" of {TASKS} |" in (whole.ace.home / first["folder"] / "table.md").read_text(), "what is unfinished says so"
    victim = whole.ace.start(*command)
    while len(whole.at) < asked_since + 5 * TASKS and victim.poll() is None:
        time.sleep(0.005)
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    last = whole.ace.json(*command)
    assert last["stopped"] == ""
    assert {row["method"] for row in last["table"]["rows"]} == {"base", "few-shot", "full-history", "ace", "ace-warm"}
    for row in last["table"]["rows"]:
        assert without_clocks(row) == without_clocks(whole.row(row["setting"], row["method"]))
    asked = len(whole.at) - asked_since
    assert last["usage"]["calls"] <= asked <= last["usage"]["calls"] + CONCURRENCY, "but for those in flight, once each"


def test_every_seed_and_several_runs_in_one_table(whole: Whole) -> None:
    sums = [{"question": f"The Heron label printer does {n} + {n}?", "ground_truth": 2 * n, "kind": "number"}
            for n in range(8)]  # fmt: skip
    parts = whole.ace.home / "sums"
    parts.mkdir()
    for name, some in (("train", sums[:4]), ("test", sums[4:])):
        (parts / f"{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in some))
    command = ("bench", "sums", "--methods", "base,copy-nearest", "--settings", "online", "--seeds", "2")
    base, copying = whole.ace.json(*command, "--run", "sums")["table"]["rows"]
    assert [seed["seed"] for seed in base["figures"]["sums"]["seeds"]] == [0, 1]
    assert (base["figures"]["sums"]["accuracy"]["n"], copying["figures"]["sums"]["accuracy"]["value"]) == (8, 0)
    joined = whole.ace.json("bench", "table", "whole", "sums", "--out", "joined.html")
    assert joined["datasets"] == ["tickets", "sums"]
    averages = {row["method"]: row["average"] for row in joined["rows"] if row["setting"] == "online"}
    half = right(learned=set(), learning=True) / TASKS / 2
    assert averages["copy-nearest"]["accuracy"]["value"] == pytest.approx(half)
    assert averages["ace"] is None, "no average of what has not been run everywhere"
    assert "2 of" not in (whole.ace.home / "joined.html").read_text()


def test_what_cannot_be_benched_is_an_error_of_yours(whole: Whole, tmp_path: Path) -> None:
    message = whole.ace("bench", "finer", code=2, ACE_DATA_DIR=str(tmp_path / "none")).stderr
    assert "--data: is missing" in message
    assert not (tmp_path / "none" / "runs").exists(), "no model was started"
    assert "few-shot" in whole.ace("bench", "methods").stdout
