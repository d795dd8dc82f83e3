"""The guides to others' frameworks, executed from top to bottom: the playbook in this process, and at a real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dspy
import pytest

from ace.repositories.database import rest
from ace.sdk.embedded import shared
from ace.testing.llm import ScriptedLLM
from ace.utils.faiss_index import get_faiss_manager
from tests.docs.walk import python_blocks
from tests.e2e.servers import SHOWN_TO_ALL, Server, serving, stop
from tests.shelves import clerk

GUIDES = Path(__file__).parents[2] / "docs/guides"
AT = ', url="http://localhost:8000"'
Run = Callable[[str], list[str]]

DSPY_BEFORE = """
import dspy
from ace import Playbook
shelves = {"lamp": "L4", "rope": "R9", "soap": "S2"}
trainset, valset = (
    [dspy.Example(question=f"Where is {kind} {n}?", answer=on).with_inputs("question") for kind, on in shelves.items()]
    for n in (1, 2)
)
"""
DSPY_AFTER = """
answers = [alone(question=f"Where is {kind} 5?").answer for kind in shelves]
print([one.score for one in compiled.detailed_results.validations], answers)
"""
LANGCHAIN_BEFORE = """
from langchain_openai import ChatOpenAI

model = ChatOpenAI(model="clerk")

def look_at(shelf: str) -> str:
    "Says what is on a shelf."
    return f"nothing on {shelf}"
"""
LANGCHAIN_AFTER = """
from ace.sdk.learner import Learner

with Learner(middleware.nodes.playbook) as learner:
    learner.learn(reported.episode_id)
question = {"messages": [("user", "Where is lamp 18?")]}
print([one.invoke(question)["messages"][-1].text for one in (agent, judged, graph)])
"""


@pytest.fixture(scope="module")
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM(clerk) as running:
        yield running


@pytest.fixture(scope="module")
def settings(models_dir: Path, llm: ScriptedLLM) -> dict[str, str]:
    return {"ACE_MODELS_DIR": str(models_dir), "ACE_MODEL": "openai/clerk", "ACE_MODEL_BASE_URL": llm.url,
            "ACE_DEDUPE": "cosine"}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str]) -> Iterator[Server]:
    """A server with a reflector beside it."""
    with serving(tmp_path_factory.mktemp("server"), **settings) as running:
        command = [sys.executable, "-m", "ace.workers.reflection", "--poll-s", "0.1"]
        reflector = subprocess.Popen(command, env=running.environment, stderr=subprocess.DEVNULL)
        yield running
        stop(reflector)


@pytest.fixture(params=["here", "at a server"])
def done(request: pytest.FixtureRequest, settings: dict[str, str], llm: ScriptedLLM, data_dir: Path,
         monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:  # fmt: skip
    """What a guide's program prints, its playbooks in this place."""
    at = "" if request.param == "here" else f', url="{request.getfixturevalue("server").url}"'
    own = {
        "ACE_ENV": "shadow",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OPENAI_API_KEY": "x",
        "OPENAI_BASE_URL": llm.url,
    }
    for name, value in {**settings, **SHOWN_TO_ALL, **own}.items():
        monkeypatch.setenv(name, value)

    def run(program: str) -> list[str]:
        exec(compile(program.replace(AT, at), "guide", "exec"), {})
        return capsys.readouterr().out.splitlines()

    yield run
    dspy.configure(lm=None)
    assert data_dir.exists() == (request.param == "here")
    for one in (shared, get_faiss_manager):
        one.cache_clear()
    rest()


@pytest.mark.parametrize("guide", ["dspy", "langchain"])
def test_every_example_is_short(guide: str) -> None:
    assert all(len(block.splitlines()) < 15 for block in python_blocks(GUIDES / f"{guide}.md"))


def test_the_dspy_guide_does_what_it_says(done: Run, llm: ScriptedLLM) -> None:
    program = "\n".join([DSPY_BEFORE, *python_blocks(GUIDES / "dspy.md"), DSPY_AFTER])
    program = program.replace('domain="shelves"', f'playbook=Playbook("shelves"{AT})')
    said = done(program.replace('"openai/gpt-5-mini"', f'"openai/clerk", api_base="{llm.url}", cache=False'))
    assert said[-1] == "[0.0, 100.0] ['L4', 'R9', 'S2']"
    assert said[-2].startswith("L4 ('strategy-")


def test_the_langchain_guide_does_what_it_says(done: Run) -> None:
    program = "\n".join([LANGCHAIN_BEFORE, *python_blocks(GUIDES / "langchain.md"), LANGCHAIN_AFTER])
    said = done(program.replace('"shelves"', '"cupboards"').replace("gpt-5-mini", "clerk"))
    assert said == ["unknown []", "['L4', 'L4', 'L4']"]
