"""The OpenAI Agents SDK with a playbook: its own runner, a scripted model over HTTP, and what is stored afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest
from agents import (
    Agent,
    AsyncOpenAI,
    MaxTurnsExceeded,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
)
from agents.run_config import CallModelData, ModelInputData

from ace import AsyncPlaybook, Playbook
from ace.integrations.openai_agents import Noted, advised
from ace.models.task import Step
from ace.testing.providers import FakeProvider
from tests.agents.shop import LESSON, RIGHT, TASK, WRONG, Place

QUIET = RunConfig(tracing_disabled=True)


@function_tool
def weigh(pounds: int) -> str:
    """What a scale says."""
    if pounds < 0:
        raise ValueError("the scale is empty")
    return f"{pounds} lb"


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def client(provider: FakeProvider, runner: asyncio.Runner) -> Iterator[AsyncOpenAI]:
    made = openai.AsyncOpenAI(base_url=provider.url, api_key="sk-local")
    yield made
    runner.run(made.close())


def agent(client: AsyncOpenAI, kind: Any = OpenAIChatCompletionsModel, **more: Any) -> Agent[Any]:
    return Agent("clerk", instructions="Be brief.", model=kind(model="fake", openai_client=client), **more)


@pytest.mark.parametrize("kind", [OpenAIChatCompletionsModel, OpenAIResponsesModel])
def test_a_bullet_changes_the_answer_and_the_run_becomes_an_episode(
    place: Place, kind: Any, client: AsyncOpenAI, provider: FakeProvider, runner: asyncio.Runner
) -> None:
    clerk, lesson = agent(client, kind, tools=[weigh]), place.taught()

    async def work() -> Any:
        plain = await Runner.run(clerk, TASK, run_config=QUIET)
        async with AsyncPlaybook(place.domain, **place.options) as playbook, playbook.task(TASK) as episode:
            result = await Runner.run(clerk, TASK, run_config=advised(episode, QUIET), hooks=Noted(episode))
            episode.outcome(correct=RIGHT in result.final_output, verifier="test")
        return plain.final_output, result.final_output, episode

    without, answer, episode = runner.run(work())
    assert (without, answer) == (WRONG, f"{RIGHT} [{lesson}]")
    asked = [seen.json for seen in provider.requests[-2:]]
    told = [one.get("instructions") or one["messages"][0]["content"] for one in asked]
    assert told[0] == told[1] and told[0].startswith("Be brief.\n\n<playbook>\n") and LESSON in told[0]
    stored = place.episode(episode.context.receipt_id)
    assert (stored.task.question, stored.trajectory.answer, stored.feedback.correct) == (TASK, answer, True)
    assert (stored.trajectory.cited, stored.trajectory.shown) == ((lesson,), (lesson,))
    assert stored.trajectory.steps == (Step(thought="", tool="weigh", arguments='{"pounds": 12}', observation="12 lb"),)


def test_a_run_that_raises_is_an_episode_as_far_as_it_came(
    there: Place, client: AsyncOpenAI, runner: asyncio.Runner
) -> None:
    async def work() -> Any:
        async with AsyncPlaybook(there.domain, **there.options) as playbook:
            with pytest.raises(MaxTurnsExceeded):
                async with playbook.task(TASK) as episode:
                    config = advised(episode, QUIET)
                    await Runner.run(agent(client, tools=[weigh]), TASK, max_turns=1, run_config=config,
                                     hooks=Noted(episode))  # fmt: skip
        return episode

    stored = there.episode(runner.run(work()).context.receipt_id)
    assert (stored.feedback.correct, stored.feedback.source) == (False, "error")
    assert [step.tool for step in stored.trajectory.steps] == ["weigh"]


def test_a_tool_that_fails_is_noted_and_the_run_goes_on(
    there: Place, client: AsyncOpenAI, runner: asyncio.Runner
) -> None:
    @function_tool(name_override="weigh")
    def broken(pounds: int) -> str:
        raise ValueError("the scale is empty")

    async def work() -> Any:
        async with AsyncPlaybook(there.domain, **there.options) as playbook, playbook.task(TASK) as episode:
            config = advised(episode, QUIET)
            await Runner.run(agent(client, tools=[broken]), TASK, run_config=config, hooks=Noted(episode))
        return episode

    stored = there.episode(runner.run(work()).context.receipt_id)
    assert (stored.trajectory.answer, stored.feedback.correct) == (WRONG, None)
    assert "the scale is empty" in stored.trajectory.steps[0].observation


def test_a_filter_of_ones_own_comes_first(client: AsyncOpenAI, provider: FakeProvider, there: Place) -> None:
    def shout(data: CallModelData[Any]) -> ModelInputData:
        return replace(data.model_data, instructions=(data.model_data.instructions or "").upper())

    there.taught()
    with there.playbook() as playbook, playbook.task(TASK) as episode:
        config = advised(episode, replace(QUIET, call_model_input_filter=shout))
        Runner.run_sync(agent(client), TASK, run_config=config, hooks=Noted(episode))
    assert provider.requests[0].json["messages"][0]["content"].startswith("BE BRIEF.\n\n<playbook>")


def test_while_the_playbook_is_away_the_agent_runs_without(
    client: AsyncOpenAI, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with Playbook("a", url="http://127.0.0.1:9", attempts=1) as playbook, playbook.task(TASK) as episode:
        result = Runner.run_sync(agent(client), TASK, run_config=advised(episode, QUIET), hooks=Noted(episode))
    assert result.final_output == WRONG and episode.reported is None
    assert provider.requests[0].json["messages"][0]["content"] == "Be brief."
    assert [one.message for one in caplog.records if one.name == "ace.sdk"] == ["playbook_away", "playbook_away"]
