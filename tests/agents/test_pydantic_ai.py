"""pydantic-ai with a playbook: its own agent and capabilities, a scripted model over HTTP, and what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic_ai import Agent, RunContext
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from ace import AsyncPlaybook
from ace.errors import NotFound
from ace.integrations.pydantic_ai import Advised, Learning
from ace.models.task import Step
from ace.testing.providers import FakeProvider
from tests.agents.shop import LESSON, RIGHT, TASK, WRONG, Place


@dataclass(frozen=True)
class Scale:
    """What the agents of these tests depend on."""

    says: str
    empty: bool = False


def weigh(ctx: RunContext[Scale], pounds: int) -> str:
    """What a scale says."""
    if ctx.deps.empty:
        raise ValueError("the scale is empty")
    return f"{pounds} lb {ctx.deps.says}"


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


def agent(provider: FakeProvider, **more: Any) -> Agent[Scale, str]:
    model = OpenAIChatModel("fake", provider=OpenAIProvider(base_url=provider.url, api_key="sk-local"))
    return Agent(model, deps_type=Scale, instructions="Be brief.", tools=[weigh], **more)


def right(ctx: RunContext[Scale], output: str) -> bool:
    return output.startswith(RIGHT) and ctx.deps.says == "net"


def test_a_bullet_changes_the_answer_and_every_run_is_an_episode(
    place: Place, provider: FakeProvider, runner: asyncio.Runner
) -> None:
    lesson = place.taught()

    async def work() -> tuple[str, str]:
        async with AsyncPlaybook(place.domain, **place.options) as playbook:
            plain = await agent(provider).run(TASK, deps=Scale("net"))
            learning = agent(provider, capabilities=[Learning[Scale](playbook, check=right, episode_id="run-1")])
            return plain.output, (await learning.run(TASK, deps=Scale("net"))).output

    without, answer = runner.run(work())
    assert (without, answer) == (WRONG, f"{RIGHT} [{lesson}]")
    own, bullets = (one["content"] for one in provider.requests[-1].json["messages"] if one["role"] == "system")
    assert own == "Be brief." and bullets.startswith("<playbook>\n") and LESSON in bullets
    assert provider.requests[-2].json["messages"][1]["content"] == bullets
    stored = place.episode("run-1")
    assert (stored.task.question, stored.trajectory.answer, stored.feedback.correct) == (TASK, answer, True)
    assert (stored.trajectory.cited, stored.receipt and stored.receipt.shown) == ((lesson,), (lesson,))
    assert stored.trajectory.steps == (
        Step(thought="", tool="weigh", arguments='{"pounds": 12}', observation="12 lb net"),
    )


def test_an_attempt_of_ones_own_is_judged_by_hand(there: Place, provider: FakeProvider) -> None:
    lesson = there.taught()
    with there.playbook() as playbook, playbook.task(TASK) as episode:
        result = agent(provider).run_sync(TASK, deps=Scale("net"), capabilities=[Advised(episode)])
        episode.outcome(correct=False, verifier="human", detail="Say it in words.")
    stored = there.episode(episode.context.receipt_id)
    assert (stored.trajectory.answer, stored.trajectory.cited) == (result.output, (lesson,))
    assert (stored.feedback.correct, stored.feedback.detail) == (False, "Say it in words.")


def test_a_stream_is_an_episode_too(there: Place, provider: FakeProvider, runner: asyncio.Runner) -> None:
    async def work() -> str:
        async with AsyncPlaybook(there.domain, **there.options) as playbook:
            streaming = agent(provider, capabilities=[Learning[Scale](playbook, episode_id="run-2")])
            async with streaming.run_stream(TASK, deps=Scale("net")) as streamed:
                return "".join([word async for word in streamed.stream_text(delta=True)])

    assert runner.run(work()) == WRONG
    assert there.episode("run-2").trajectory.answer == WRONG


def test_a_tool_that_raises_is_noted_and_the_error_goes_on(
    there: Place, provider: FakeProvider, runner: asyncio.Runner
) -> None:
    async def work() -> None:
        async with AsyncPlaybook(there.domain, **there.options) as playbook:
            learning = agent(provider, capabilities=[Learning[Scale](playbook, episode_id="run-3")])
            with pytest.raises(ValueError, match="the scale is empty"):
                await learning.run(TASK, deps=Scale("net", empty=True))

    runner.run(work())
    stored = there.episode("run-3")
    assert (stored.feedback.correct, stored.trajectory.error) == (False, "ValueError: the scale is empty")
    assert stored.trajectory.steps[0].observation == "ValueError: the scale is empty"


def test_a_run_without_a_prompt_goes_on_without_a_playbook(
    there: Place, provider: FakeProvider, runner: asyncio.Runner
) -> None:
    async def work() -> str:
        async with AsyncPlaybook(there.domain, **there.options) as playbook:
            learning = agent(provider, capabilities=[Learning[Scale](playbook, episode_id="run-4")])
            return (await learning.run(deps=Scale("net"))).output

    assert runner.run(work()) == WRONG
    with there.playbook() as playbook, pytest.raises(NotFound):
        playbook.episode("run-4")


def test_while_the_playbook_is_away_the_agent_runs_without(
    provider: FakeProvider, runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> str:
        async with AsyncPlaybook("a", url="http://127.0.0.1:9", attempts=1) as playbook:
            learning = agent(provider, capabilities=[Learning[Scale](playbook)])
            return (await learning.run(TASK, deps=Scale("net"))).output

    assert runner.run(work()) == WRONG
    assert [one.message for one in caplog.records if one.name == "ace.sdk"] == ["playbook_away", "playbook_away"]
