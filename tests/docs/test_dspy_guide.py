"""The DSPy guide, executed in order in a process of its own: its playbook in that process, and at a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ace.testing.llm import ScriptedLLM
from tests.docs.walk import python_blocks, run_python
from tests.e2e.servers import SHOWN_TO_ALL, Server, serving, stop
from tests.shelves import clerk

PAGE = Path(__file__).parents[2] / "docs/guides/dspy.md"
BLOCKS = python_blocks(PAGE)
BEFORE = """
import dspy
shelves = {"lamp": "L4", "rope": "R9", "soap": "S2"}
trainset, valset = (
    [dspy.Example(question=f"Where is {kind} {n}?", answer=on).with_inputs("question") for kind, on in shelves.items()]
    for n in (1, 2)
)
"""
AFTER = """
answers = [alone(question=f"Where is {kind} 5?").answer for kind in shelves]
print([one.score for one in compiled.detailed_results.validations], answers)
"""


@pytest.fixture(scope="module")
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM(clerk) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path, llm: ScriptedLLM) -> Iterator[Server]:
    """A server with a reflector beside it."""
    settings = {"ACE_MODELS_DIR": str(models_dir), "ACE_MODEL": "openai/clerk", "ACE_MODEL_BASE_URL": llm.url}
    with serving(tmp_path_factory.mktemp("server"), **settings, ACE_DEDUPE="cosine") as running:
        command = [sys.executable, "-m", "ace.workers.reflection", "--poll-s", "0.1"]
        reflector = subprocess.Popen(command, env=running.environment, stderr=subprocess.DEVNULL)
        yield running
        stop(reflector)


def test_every_example_is_short() -> None:
    assert all(len(block.splitlines()) < 15 for block in BLOCKS)


@pytest.mark.parametrize("place", ["embedded", "at a server"])
def test_the_guide_does_what_it_says(place: str, llm: ScriptedLLM, tmp_path: Path, models_dir: Path,
                                     request: pytest.FixtureRequest) -> None:  # fmt: skip
    program = "\n".join([BEFORE, *BLOCKS, AFTER])
    program = program.replace('"openai/gpt-5-mini"', f'"openai/clerk", api_base="{llm.url}", api_key="x", cache=False')
    if place == "embedded":
        program = program.replace(', url="http://localhost:8000"', "")
    else:
        url = request.getfixturevalue("server").url
        program = program.replace('domain="shelves"', 'playbook=Playbook("shelves", url="http://localhost:8000")')
        program = f"from ace import Playbook\n{program}".replace("http://localhost:8000", url)
    home = {"ACE_DATA_DIR": str(tmp_path / "own"), "ACE_MODELS_DIR": str(models_dir), "ACE_ENV": "shadow"}
    environment = {**os.environ, **home, **SHOWN_TO_ALL, "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                   "ACE_DEDUPE": "cosine"}  # fmt: skip
    said = run_python(program, home=tmp_path, environment=environment).splitlines()
    assert said[-1] == "[0.0, 100.0] ['L4', 'R9', 'S2']"
    assert said[-2].startswith("L4 ('strategy-")
    if place == "at a server":
        assert not (tmp_path / "own").exists()
