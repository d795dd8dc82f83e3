"""The OpenAI Agents SDK: a run whose model calls carry the bullets, and whose tools and output become the episode.

    with playbook.task(question) as episode:
        result = Runner.run_sync(agent, question, run_config=advised(episode), hooks=Noted(episode))
        episode.outcome(correct=…, verifier="test")

The bullets go to the end of the instructions of every agent of the run, just before each model call, the same text in
all of them; agents themselves are not changed. The hooks note tools as they end, so that a run which raises is told of
as far as it came. Your own hooks may extend `Noted`; those of an agent (`Agent.hooks`) are left alone.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from ace.integrations.needs import needs
from ace.integrations.noting import advice, answered, used
from ace.sdk.episode import Notes

with needs("openai-agents"):
    from agents import Agent, AgentHookContext, ItemHelpers, ModelResponse, RunConfig, RunContextWrapper, RunHooks, Tool
    from agents.run_config import CallModelData, ModelInputData
    from agents.tool_context import ToolContext
    from openai.types.responses import ResponseOutputMessage
    from typing_extensions import override


def advised(episode: Notes, run_config: RunConfig | None = None) -> RunConfig:
    """The run's configuration, with the episode's bullets in the instructions of every model call."""
    config = run_config or RunConfig()
    before = config.call_model_input_filter

    async def add(data: CallModelData[Any]) -> ModelInputData:
        found = data.model_data if before is None else before(data)
        given: ModelInputData = await found if inspect.isawaitable(found) else found
        return replace(given, instructions=advice(episode, given.instructions or "") or None)

    return replace(config, call_model_input_filter=add)


class Noted(RunHooks[Any]):
    """Notes on the episode what the agents of a run think, which tools they use, and the final output."""

    def __init__(self, episode: Notes) -> None:
        self.episode = episode
        self._thought = ""

    @override
    async def on_llm_end(self, context: RunContextWrapper[Any], agent: Agent[Any], response: ModelResponse) -> None:
        said = (ItemHelpers.extract_text(one) for one in response.output if isinstance(one, ResponseOutputMessage))
        self._thought = "\n".join(text for text in said if text)

    @override
    async def on_tool_end(self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool, result: object) -> None:
        arguments = context.tool_arguments if isinstance(context, ToolContext) else ""
        self._note(tool.name, arguments, result)

    @override
    async def on_handoff(self, context: RunContextWrapper[Any], from_agent: Agent[Any], to_agent: Agent[Any]) -> None:
        self._note("handoff", to_agent.name, "")

    @override
    async def on_agent_end(self, context: AgentHookContext[Any], agent: Agent[Any], output: Any) -> None:
        answered(self.episode, output)

    def _note(self, tool: str, arguments: str, observation: object) -> None:
        used(self.episode, tool, arguments, observation, thought=self._thought)
        self._thought = ""
