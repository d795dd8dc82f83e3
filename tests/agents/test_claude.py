"""The Claude Agent SDK with a playbook: its own client and the program it bundles, at a scripted model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query

from ace import AsyncPlaybook
from ace.integrations.claude import ace_hooks
from ace.testing.providers import FakeProvider
from tests.agents.claude import coder, environment
from tests.agents.shop import RIGHT, TASK, WRONG, Place


def ask(playbook: AsyncPlaybook, home: Path, **more: Any) -> str:
    """What the agent answers."""

    async def work() -> str:
        async with playbook:
            hooks, env = ace_hooks(playbook, **more), environment(home, provider.url)
            options = ClaudeAgentOptions(hooks=hooks, env=env, cwd=home, allowed_tools=["Bash"], setting_sources=[])
            results = [one async for one in query(prompt=TASK, options=options) if isinstance(one, ResultMessage)]
            return str(results[-1].result)

    with FakeProvider(script=coder) as provider:
        return asyncio.run(work())


def test_a_bullet_changes_the_answer_and_the_turn_becomes_an_episode(place: Place, tmp_path: Path) -> None:
    lesson = place.taught()
    playbook = AsyncPlaybook(place.domain, **place.options)
    answer = ask(playbook, tmp_path, check=lambda task, answer: RIGHT in answer, episode_id="turn-1")
    assert answer == f"{RIGHT} [{lesson}]"
    stored = place.episode("turn-1")
    assert (stored.task.question, stored.trajectory.answer, stored.feedback.correct) == (TASK, answer, True)
    assert (stored.trajectory.cited, stored.receipt and stored.receipt.shown) == ((lesson,), (lesson,))
    (step,) = stored.trajectory.steps
    assert step.tool == "Bash" and step.observation.startswith("Error: Exit code 1\ncat: scale.txt")


def test_while_the_playbook_is_away_the_agent_works_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    playbook = AsyncPlaybook("a", url="http://127.0.0.1:9", attempts=1)
    assert ask(playbook, tmp_path) == WRONG
    assert [one.message for one in caplog.records if one.name == "ace.sdk"] == ["playbook_away", "playbook_away"]
