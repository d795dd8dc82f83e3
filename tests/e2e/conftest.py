"""The `ace` command as a user runs it: a process of its own, a data directory of its own, a scripted model server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ace.testing.llm import ChatRequest, Reply, ScriptedLLM, say


def clerk(request: ChatRequest) -> Reply:
    """Knows that the code of item N is N·N once a lesson says so in its prompt; reflects one lesson a task."""
    item = re.findall(r"code of item (\w+)", request.prompt)[-1]
    properties = (request.schema or {}).get("properties", {})
    if "lessons" in properties:
        content = f"Look the ledger up: item {item} carries the number {item}-{item}."
        lesson = {"section": "example", "content": content, "confidence": 0.9}
        return say(json.dumps({"tags": {}, "lessons": [lesson]}), delay_s=0.02)
    known = f"{item}-{item}" in request.prompt
    answer = f"{item}-{item}" if known else "no idea"
    return say(json.dumps({"reasoning": "looked it up", "answer": answer, "cited": []}), delay_s=0.02)


@pytest.fixture
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM(clerk) as server:
        yield server


class Ace:
    """Runs `ace` against one data directory."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home, self.environment = home, environment

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "ace", *words],
            cwd=self.home,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        from tests.e2e.nursery import nursery  # not where a site has only the smoke test and this file

        done = nursery().run(*words, cwd=self.home, env={**self.environment, **environment})
        assert done.returncode == code, f"exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json").stdout)

    def tasks(self, name: str, items: list[str]) -> str:
        lines = [
            json.dumps({"id": item, "question": f"What is the code of item {item}?", "ground_truth": f"{item}-{item}"})
            for item in items
        ]
        (self.home / name).write_text("\n".join(lines) + "\n")
        return name


@pytest.fixture
def ace(tmp_path: Path, llm: ScriptedLLM, models_dir: Path) -> Ace:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ACE_")}
    ours = {
        "ACE_DATA_DIR": str(tmp_path / "data"),
        "ACE_MODELS_DIR": str(models_dir),
        "ACE_MODEL": "openai/clerk",
        "ACE_DEDUPE": "cosine",  # what is the same is then plain to see for whoever reads these tests
        "ACE_MODEL_BASE_URL": llm.url,
    }
    return Ace(tmp_path, {**environment, **ours})
