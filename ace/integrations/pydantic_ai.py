"""pydantic-ai: capabilities whose instructions are the bullets, and whose hooks tell an episode what the run did.

    Advised(episode)                     agent.run(…, capabilities=[…])     one attempt, opened and judged by you
    Learning(playbook, check=…)          Agent(…, capabilities=[…])         every run of the agent is an episode

Both are generic in the agent's dependencies, which they leave alone; `check` sees them in its context. Instructions are
asked for before each model request and are the same in all of a run, behind the agent's own. A run without a prompt
goes on without a playbook.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ace.integrations.needs import needs
from ace.integrations.noting import advice, answered, used
from ace.sdk.async_playbook import AsyncPlaybook
from ace.sdk.episode import Notes

with needs("pydantic-ai"):
    from pydantic_ai import AgentRunResult, ModelResponse, RunContext, ToolDefinition
    from pydantic_ai.capabilities import AbstractCapability, ValidatedToolArgs, WrapRunHandler, WrapToolExecuteHandler
    from pydantic_ai.messages import TextContent, ToolCallPart
    from pydantic_ai.models import ModelRequestContext
    from pydantic_ai.tools import AgentDepsT
    from typing_extensions import override


class Advised(AbstractCapability[AgentDepsT]):
    """One run with the bullets of an episode, which is told of tools, their errors and the output."""

    def __init__(self, episode: Notes | None) -> None:
        self.episode = episode
        self._thought = ""

    @classmethod
    @override
    def get_serialization_name(cls) -> str | None:
        return None

    @override
    def get_instructions(self) -> Callable[[RunContext[AgentDepsT]], str | None]:
        return lambda _: advice(self.episode) or None if self.episode else None

    @override
    async def after_model_request(
        self, ctx: RunContext[AgentDepsT], *, request_context: ModelRequestContext, response: ModelResponse
    ) -> ModelResponse:
        self._thought = response.text or response.thinking or ""
        return response

    @override
    async def wrap_tool_execute(
        self,
        ctx: RunContext[AgentDepsT],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: ValidatedToolArgs,
        handler: WrapToolExecuteHandler,
    ) -> Any:
        try:
            result = await handler(args)
        except Exception as error:
            self._note(call, f"{type(error).__name__}: {error}")
            raise
        self._note(call, result)
        return result

    @override
    async def after_run(self, ctx: RunContext[AgentDepsT], *, result: AgentRunResult[Any]) -> AgentRunResult[Any]:
        if self.episode is not None and not self.episode.answered:
            answered(self.episode, result.output)
        return result

    def _note(self, call: ToolCallPart, observation: Any) -> None:
        if self.episode is not None:
            used(self.episode, call.tool_name, call.args, observation, thought=self._thought)
        self._thought = ""


Check = Callable[[RunContext[AgentDepsT], Any], bool | None]


class Learning(AbstractCapability[AgentDepsT]):
    """Every run is an episode; `check(context, output)` says in the name of `verifier` whether the output is right.

    `options` are those of `AsyncPlaybook.task`: k, token_budget, traffic, session, fields of the report.
    """

    def __init__(
        self, playbook: AsyncPlaybook, *, check: Check[AgentDepsT] | None = None, verifier: str = "test", **options: Any
    ) -> None:
        self._playbook, self._check, self._verifier, self._options = playbook, check, verifier, options

    @classmethod
    @override
    def get_serialization_name(cls) -> str | None:
        return None

    @override
    async def for_run(self, ctx: RunContext[AgentDepsT]) -> AbstractCapability[AgentDepsT]:
        return _Run(self)

    async def attempt(self, run: Advised[AgentDepsT], ctx: RunContext[AgentDepsT], handler: WrapRunHandler) -> Any:
        """The run as an episode."""
        if not (task := _task(ctx)):
            return await handler()
        async with self._playbook.task(task, **self._options) as run.episode:
            result = await handler()
            answered(run.episode, result.output)
            if self._check is not None:
                run.episode.outcome(correct=self._check(ctx, result.output), verifier=self._verifier)
            return result


class _Run(Advised[AgentDepsT]):
    """One run of an agent that is learning."""

    def __init__(self, learning: Learning[AgentDepsT]) -> None:
        super().__init__(None)
        self._learning = learning

    @override
    async def wrap_run(self, ctx: RunContext[AgentDepsT], *, handler: WrapRunHandler) -> AgentRunResult[Any]:
        result: AgentRunResult[Any] = await self._learning.attempt(self, ctx, handler)
        return result


def _task(ctx: RunContext[Any]) -> str:
    """The text of the prompt."""
    if ctx.prompt is None or isinstance(ctx.prompt, str):
        return (ctx.prompt or "").strip()
    parts = (part.content if isinstance(part, TextContent) else part for part in ctx.prompt)
    return "\n".join(part for part in parts if isinstance(part, str)).strip()
