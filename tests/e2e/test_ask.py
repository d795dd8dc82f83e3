"""`ace ask`: one task, done with the playbook by the scripted clerk, who cites what it used."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ace.testing.llm import ChatRequest, Reply, ScriptedLLM, say
from tests.e2e.conftest import Ace, ace, clerk  # noqa: F401  fixtures


def citing(request: ChatRequest) -> Reply:
    """The clerk, who says which line of its prompt the answer is from."""
    item = re.findall(r"code of item (\w+)", request.prompt)[-1]
    if "lessons" in (request.schema or {}).get("properties", {}):
        return clerk(request)
    found = re.search(rf"\[([\w-]+)\][^\n]*{item}-{item}", request.prompt)
    cited = [found[1]] if found else []
    return say(
        json.dumps({"reasoning": "looked it up", "answer": f"{item}-{item}" if cited else "no idea", "cited": cited})
    )


@pytest.fixture
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM(citing) as server:
        yield server


QUESTION = "What is the code of item amber?"


def test_the_answer_comes_with_the_bullets_shown_and_cited(ace: Ace) -> None:  # noqa: F811
    ace("learn", ace.tasks("tasks.jsonl", ["amber", "birch"]), "--domain", "d")
    before = ace.json("playbook", "show", "--domain", "d")
    told = ace.json("ask", QUESTION, "--domain", "d")
    assert told["answer"] == "amber-amber"
    assert [one["id"] for one in told["shown"] if one["cited"]] == told["cited"]
    assert len(told["cited"]) == 1
    plain = ace("ask", QUESTION, "--domain", "d")
    assert plain.stdout == "amber-amber\n"
    assert f"* [{told['cited'][0]}]" in plain.stderr
    assert ace.json("playbook", "show", "--domain", "d") == before, "nothing is learned"


def test_without_a_playbook_the_model_is_on_its_own(ace: Ace) -> None:  # noqa: F811
    told = ace("ask", QUESTION)
    assert (told.stdout, "No bullet" in told.stderr) == ("no idea\n", True)


def test_a_task_is_read_from_stdin(ace: Ace) -> None:  # noqa: F811
    done = subprocess.run([sys.executable, "-m", "ace", "ask", "-", "--json"], input=QUESTION, env=ace.environment,
                          cwd=ace.home, capture_output=True, text=True, check=True)  # fmt: skip
    assert json.loads(done.stdout)["task"] == QUESTION


def test_a_blank_task_is_refused(ace: Ace) -> None:  # noqa: F811
    assert "TASK: is empty" in ace("ask", "  ", code=2).stderr


def test_a_model_that_is_away_is_an_outage(ace: Ace) -> None:  # noqa: F811
    ace("ask", QUESTION, code=4, ACE_MODEL_BASE_URL="http://127.0.0.1:9/v1", ACE_LLM_DEADLINE_S="5")
