"""The guide that puts two calls around an agent: its program runs against a server, and without one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ace.web.episodes import EpisodeReport
from tests.docs.walk import bash_blocks, python_blocks, run_python, walk
from tests.e2e.servers import Server, free_port, serving

PAGE = Path(__file__).parents[2] / "docs/guides/agent.md"
LESSON = "A customer who was charged twice: look for a pending authorisation first."


@pytest.fixture
def server(tmp_path: Path, models_dir: Path) -> Iterator[Server]:
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir), ACE_MODEL="local") as running:
        lesson = {"insights": [{"content": LESSON}]}
        running.post("/v1/domains/support/insights", lesson).raise_for_status()
        yield running


def test_the_program_does_what_the_guide_says(server: Server, tmp_path: Path) -> None:
    code = "\n".join(python_blocks(PAGE)).replace("localhost:8000", urlsplit(server.url).netloc)
    code += "\nimport json; print(json.dumps([context, first, second]))"
    context, first, second = json.loads(run_python(code, home=tmp_path, environment=server.environment))
    assert [one["content"] for one in context["bullets"]] == [LESSON]
    assert first["receipt"]
    assert second["held_out"] == first["held_out"]
    queued = server.ask("GET", "/v1/domains/support/episodes?state=queued").json()["episodes"]
    assert len(queued) == 2
    assert context["receipt_id"] in {one["episode_id"] for one in queued}
    worked, shown, worth = walk(
        [one + "\n" for one in by_line()], home=tmp_path, environment=server.environment, turned={}
    )
    assert "2 done" in worked
    assert LESSON[:30] in shown
    assert "support" in worth


def by_line() -> list[str]:
    (block,) = bash_blocks(PAGE)
    return block.splitlines()


def test_an_agent_works_on_while_the_playbook_is_away(tmp_path: Path) -> None:
    code = python_blocks(PAGE)[0].replace("localhost:8000", f"127.0.0.1:{free_port()}")
    said = run_python(code + "\nprint(ask('a task')['text'] == '')", home=tmp_path, environment=os.environ)
    assert said == "True\n"


def test_the_outcomes_in_the_table_can_be_reported() -> None:
    rows = PAGE.read_text().split("| you know | send |")[1].split("\n\n")[0]
    bodies = [body.replace("…", "true", 1) for body in rows.split("`") if body.startswith('"correct"')]
    assert len(bodies) == 6
    for body in bodies:
        report = {"task": "t", "episode_id": "e", "outcome": json.loads(f"{{{body}}}")}
        assert EpisodeReport.model_validate(report).outcome.verifier
