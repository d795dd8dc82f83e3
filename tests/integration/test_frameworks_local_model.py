"""A real small model, asked by DSPy and by LangChain: wrong by itself, right with the bullet that fits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import dspy
import httpx
import pytest
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI

from ace import Playbook
from ace.bootstrap import App
from ace.integrations.dspy import WithPlaybook
from ace.integrations.langchain import PlaybookMiddleware
from ace.repositories.database import rest
from ace.utils.faiss_index import get_faiss_manager
from ace.utils.llm_adapter import CompactAdapter
from ace.utils.local_model import LocalModel

DEMO = Path(__file__).parents[2] / "ace/data/demo"
ABOUT, *LEARNED = (json.loads(line) for line in (DEMO / "learn.jsonl").read_text().splitlines())
TASK = json.loads((DEMO / "heldout.jsonl").read_text().splitlines()[13])
TAGS = (*ABOUT["defaults"]["options"][:5], TASK["ground_truth"])


@pytest.fixture(scope="module")
def model(models_dir: Path) -> Iterator[LocalModel]:
    with LocalModel(models_dir, threads=1) as running:
        yield running


@pytest.fixture
def playbook(models_dir: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Playbook]:
    """Two worked examples, of which one has the task's answer."""
    for name, value in {"MODELS_DIR": str(models_dir), "ENV": "shadow", "DEDUPE": "cosine"}.items():
        monkeypatch.setenv(f"ACE_{name}", value)
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    get_faiss_manager.cache_clear()
    made = Playbook("finer", app=App())
    alike = next(one for one in LEARNED if one["ground_truth"] == TASK["ground_truth"])
    made.learn([f"Question: {one['question']} Answer: {one['ground_truth']}" for one in (LEARNED[0], alike)])
    yield made
    get_faiss_manager.cache_clear()
    rest()


def test_a_dspy_program(model: LocalModel, playbook: Playbook) -> None:
    answers: Any = Literal[TAGS]
    fields = {"question": (str, dspy.InputField()), "answer": (answers, dspy.OutputField())}
    plain = dspy.Predict(dspy.Signature(fields, "Answer the question as the examples do."))
    lm = dspy.LM("openai/local", api_base=model.base_url, api_key="x", cache=False, temperature=0.0)
    with dspy.context(lm=lm, adapter=CompactAdapter(list_options=False)):
        without, having = (
            program(question=TASK["question"]).answer
            for program in (plain, WithPlaybook(plain, playbook, cite=False, k=1))
        )
    assert without != TASK["ground_truth"] == having


def test_a_langchain_agent(model: LocalModel, playbook: Playbook) -> None:
    schema = {"name": "tag", "schema": {"type": "string", "enum": TAGS}, "strict": True}
    with httpx.Client() as client:
        chat = ChatOpenAI(model="local", base_url=model.base_url, api_key="x", temperature=0, http_client=client,
                          model_kwargs={"response_format": {"type": "json_schema", "json_schema": schema}})  # fmt: skip
        without, having = (
            json.loads(create_agent(chat, middleware=middleware).invoke({"messages": [("user", TASK["question"])]})[
                "messages"][-1].text)
            for middleware in ([], [PlaybookMiddleware(playbook, cite=False, k=1)])
        )  # fmt: skip
    assert without != TASK["ground_truth"] == having
