"""`ace learn` with a file of what an agent did: reported once however often, reflected on when asked to wait."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures


def episode(item: str, **changes: Any) -> dict[str, Any]:
    outcome = {"correct": False, "verifier": "exact_match", "expected": f"{item}-{item}"}
    task = f"What is the code of item {item}?"
    return {"episode_id": f"e-{item}", "task": task, "answer": "no idea", "outcome": outcome} | changes


def write(ace: Ace, *rows: Any) -> str:  # noqa: F811
    (ace.home / "episodes.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return "episodes.jsonl"


def test_the_same_file_again_changes_nothing(ace: Ace) -> None:  # noqa: F811
    unnamed = {name: value for name, value in episode("cedar").items() if name != "episode_id"}
    file = write(ace, episode("amber"), episode("birch"), unnamed)
    first = ace.json("learn", file, "--domain", "d")
    assert first == {"domain": "d", "episodes": 3, "new": 3, "repeated": 0}
    assert ace.json("learn", file, "--domain", "d") == first | {"new": 0, "repeated": 3}
    queue = EpisodeRepository(Database(f"sqlite:///{ace.home / 'data' / 'ace.db'}"))
    assert sum(queue.counts("d").values()) == 3
    assert "ace worker --once" in ace("learn", file, "--domain", "d").stderr


def test_with_wait_they_are_reflected_on_here(ace: Ace) -> None:  # noqa: F811
    file = write(ace, *(episode(item) for item in ("amber", "birch", "cedar")))
    told = ace.json("learn", file, "--domain", "d", "--wait")
    assert (told["new"], told["done"], told["added"], told["before"]) == (3, 3, 3, 0)
    assert len(ace.json("playbook", "show", "--domain", "d")) == 3
    again = ace.json("learn", file, "--domain", "d", "--wait")
    assert (again["new"], again["done"], again["added"], again["before"]) == (0, 0, 0, 3)
    assert "reflecting: 3/3" in ace("learn", file, "--domain", "d", "--wait").stderr


def test_a_model_that_is_away_leaves_them_queued(ace: Ace) -> None:  # noqa: F811
    file = write(ace, episode("amber"))
    away = {"ACE_MODEL_BASE_URL": "http://127.0.0.1:9/v1", "ACE_LLM_DEADLINE_S": "3", "ACE_REFLECTOR": "model"}
    ace("learn", file, "--domain", "d", "--wait", code=4, **away)
    told = ace.json("learn", file, "--domain", "d", "--wait")
    assert (told["repeated"], told["done"], told["added"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        pytest.param(episode("b", cited="x"), "line 2, cited: cannot be used", id="wrong-type"),
        pytest.param(episode("b", outcom={}), "line 2, outcom: is not a known field", id="unknown-field"),
        pytest.param(episode("b", trace=[{"tool": 1}]), "line 2, trace[0].tool: cannot be used", id="inside-a-trace"),
        pytest.param({"episode_id": "b"}, "line 2, task: is missing", id="no-task"),
        pytest.param(episode("b", task=" "), "line 2, task: is empty", id="blank-task"),
        pytest.param(episode("b", outcome={"correct": True}), "line 2, outcome.verifier: is missing", id="no-verifier"),
        pytest.param(episode("b", receipt="r"), "line 2, receipt: is for reports over HTTP", id="a-receipt"),
        pytest.param(episode("a", answer="other"), "line 2, episode_id: Episode 'e-a'", id="one-id-two-bodies"),
        pytest.param([1], "line 2: is an array", id="no-object"),
    ],
)
def test_the_first_thing_wrong_is_named_by_line_and_field(ace: Ace, row: Any, says: str) -> None:  # noqa: F811
    assert says in ace("learn", write(ace, episode("a"), row), code=2).stderr


def test_options_of_the_other_kind_of_file_are_refused(ace: Ace) -> None:  # noqa: F811
    assert (
        "--max-calls: is for files of tasks"
        in ace("learn", write(ace, episode("a")), "--max-calls", "3", code=2).stderr
    )
    assert "--wait: is for files of episodes" in ace("learn", ace.tasks("t.jsonl", ["a"]), "--wait", code=2).stderr
