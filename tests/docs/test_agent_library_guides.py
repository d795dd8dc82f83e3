"""The guides of the agent libraries, executed by those libraries, at a scripted model and a real server."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ace.integrations import claude_hook
from ace.testing.providers import FakeProvider
from tests.agents.claude import claude, coder, environment
from tests.agents.shop import LESSON, RIGHT, TASK, Place, clerk
from tests.e2e.nursery import nursery
from tests.e2e.servers import SHOWN_TO_ALL, Server, serving, wait_until

GUIDES = Path(__file__).parents[2] / "docs/guides"
NAMES = ["openai-agents", "pydantic-ai", "litellm", "claude"]
SEEN = {"openai-agents": ("customer-a", 1), "pydantic-ai": ("customer-a", 2), "litellm": ("customer-a", 2),
        "claude": ("my-project", 1)}  # fmt: skip
"""Whose playbook the guide speaks of, and how many episodes its examples make."""
AFTER = {"claude": f'\nassert "{RIGHT}" in asyncio.run(ask("{TASK}"))\n'}


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (GUIDES / f"{name}.md").read_text(), flags=re.M | re.S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("guides"), ACE_MODELS_DIR=str(models_dir)) as running:
        yield running


def queued(server: Server, domain: str) -> int:
    return int(server.ask("GET", f"/v1/domains/{domain}/episodes").json()["counts"].get("queued", 0))


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_short(name: str) -> None:
    programs = blocks(name, "python")
    assert programs and all(len(block.splitlines()) < 15 for block in programs)


@pytest.mark.parametrize("name", NAMES)
def test_the_guide_does_what_it_says(name: str, server: Server, tmp_path: Path) -> None:
    domain, episodes = SEEN[name]
    Place(options={"url": server.url}, domain=domain, stored=lambda *_: None).taught()
    before = queued(server, domain)
    program = "\n".join(blocks(name, "python")).replace("http://localhost:8000", server.url) + AFTER.get(name, "")
    program = program.replace("timeout=2)", "timeout=60), patience_s=60")  # tests may run on a busy machine
    with FakeProvider(script=coder if name == "claude" else clerk) as provider:
        settings = {"OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "sk-local",
                    "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_AGENTS_DISABLE_TRACING": "1"}  # fmt: skip
        env = {**os.environ, **environment(tmp_path, provider.url), **settings}
        run = subprocess.run([sys.executable, "-c", program], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert all(LESSON in seen.body.decode() for seen in provider.requests if seen.json)
    assert queued(server, domain) == before + episodes


def test_the_commands_of_the_guide_for_claude_code_work(server: Server, tmp_path: Path, models_dir: Path) -> None:
    (project := tmp_path / "project").mkdir()
    ours = {"ACE_DATA_DIR": str(tmp_path / "data"), "ACE_MODELS_DIR": str(models_dir), **SHOWN_TO_ALL}
    before = queued(server, "my-project")
    with FakeProvider(script=coder) as provider:
        env = {**environment(tmp_path, provider.url), **ours}
        first, second, _ = blocks("claude", "bash")
        for line in first.splitlines():
            words = [*shlex.split(line, comments=True)[1:], "--url", server.url, "--patience", "29"]
            done = nursery().run(*words, cwd=project, env=env)
            assert done.returncode == 0 and "+" in done.stdout, done.stderr
        claude(project, TASK, env)
        wait_until(lambda: queued(server, "my-project") > before, 60)
        for line in second.splitlines():
            done = nursery().run(*shlex.split(line, comments=True)[1:], cwd=project, env=env)
            assert done.returncode == 0, done.stderr
    assert "1 repeated" in done.stdout, "what was learned into the database is known in the file"


def test_the_guide_for_claude_code_names_the_events_and_the_patience() -> None:
    text = (GUIDES / "claude.md").read_text()
    assert all(f"`{event}`" in text for event in ("UserPromptSubmit", "Stop", "SessionEnd"))
    assert f"within {claude_hook.PATIENCE_S:g} s" in text


def test_the_proxys_configuration_names_the_handler() -> None:
    (config,) = blocks("litellm", "yaml")  # tests/agents/test_litellm.py loads it as the proxy does
    assert yaml.safe_load(config)["litellm_settings"]["callbacks"] == "ace.integrations.litellm.handler"
