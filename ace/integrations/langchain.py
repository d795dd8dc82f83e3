"""LangChain and LangGraph: the bullets that fit in an agent's system prompt, and what came of it reported.

    agent = create_agent(model, tools, middleware=[PlaybookMiddleware(Playbook("support"), judge=judge)])

when                        what happens                                               in the state, under "playbook"
an agent is asked           the last message of the user is the task: bullets, once    task, receipt, shown, text
its model is called         they stand at the end of the system prompt, ordered by id, the same in every turn; a line of
                            citations at the end of the answer is taken out of it      (in the message's metadata)
it is done                  `judge` says what came of it, and the turns are reported   nothing more; without a judge,
                            with what the tools said, their errors too                 `record` reports it later

While ACE is in trouble the agent works without bullets, and `playbook_away` is logged. A graph of one's own has the
same as nodes: `PlaybookNodes`. The playbook waits; where nothing may wait, it is asked in a thread.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

from ace.core.prompting import framed
from ace.errors import AceError, InvalidInput, Outage
from ace.integrations.needs import needs
from ace.integrations.noting import LONGEST_STEP, short
from ace.sdk.playbook import Playbook
from ace.sdk.values import Reported

with needs("langchain"):
    from langchain.agents.middleware.types import (
        AgentMiddleware,
        AgentState,
        ModelRequest,
        ModelResponse,
        OmitFromInput,
    )
    from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
    from langgraph.graph.message import add_messages
    from typing_extensions import override

ASKED_TO_CITE = "If you used an entry, end your final answer with a line of their ids: Used: [id]"
CITED = "playbook_cited"  # in a message's response_metadata: the ids its last line named
_LINE = re.compile(r"\s*^Used:((?:[\s,;]*\[?[a-z]+-[a-z2-7]{10}\]?)*)[\s.]*\Z", re.MULTILINE)
_ID = re.compile(r"[a-z]+-[a-z2-7]{10}")
log = logging.getLogger(__name__)

Verdict = Mapping[str, Any] | bool | None
Judge = Callable[[Any], Verdict]
"""Says of a final state whether the answer is right: True, False, None when nobody can tell, or these with more:
{"correct": …, "verifier": …, "expected": …, "detail": …}."""


class Shown(TypedDict):
    """What a run was shown. All of it is JSON, for a checkpointer to keep and a later `record` to report with."""

    task: str
    receipt: str
    shown: list[str]
    text: str
    began: float


class PlaybookState(TypedDict):
    """The least a graph's state has to hold."""

    messages: Annotated[list[AnyMessage], add_messages]
    playbook: NotRequired[Shown]


class PlaybookNodes:
    """`ask` and `tell` are nodes of a graph, at its beginning and its end; `messages` are what its model is sent.

    `options` are those of `Playbook.context`: k, token_budget, traffic, session.
    """

    def __init__(
        self,
        playbook: Playbook,
        *,
        judge: Judge | None = None,
        verifier: str = "test",
        cite: bool = True,
        **options: Any,
    ) -> None:
        self.playbook, self.judge, self.verifier = playbook, judge, verifier
        self.cite, self.options = cite, options

    def ask(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The bullets that fit what the user said last."""
        task = _storable(next((one.text for one in reversed(state["messages"]) if isinstance(one, HumanMessage)), ""))
        shown = Shown(task=task, receipt="", shown=[], text="", began=time.time())
        try:
            context = self.playbook.context(task, **self.options)
        except AceError as error:
            return {"playbook": self._away(error, shown)}
        shown |= {"receipt": context.receipt, "shown": [one.id for one in context.bullets]}
        return {"playbook": shown | {"text": framed(context.bullets) if context.bullets else ""}}

    def messages(self, state: Mapping[str, Any]) -> list[AnyMessage]:
        """The state's messages, with the bullets at the end of the system prompt."""
        given = list(state["messages"])
        system = given.pop(0) if given and isinstance(given[0], SystemMessage) else None
        told = self.system(state, system)
        return [told, *given] if told else given

    def system(self, state: Mapping[str, Any], given: SystemMessage | None) -> SystemMessage | None:
        """The system prompt with the bullets; as it is, when there are none."""
        if not (words := state.get("playbook", {}).get("text")):
            return given
        words = f"{words}\n{ASKED_TO_CITE}" if self.cite else words
        if given is None:
            return SystemMessage(words)
        if isinstance(given.content, str):
            return given.model_copy(update={"content": f"{given.content}\n\n{words}"})
        return given.model_copy(update={"content": [*given.content, {"type": "text", "text": words}]})

    def heard(self, state: Mapping[str, Any], message: BaseMessage) -> BaseMessage:
        """The model's message without its line of citations, which goes into the metadata."""
        shown = state.get("playbook", {}).get("shown")
        if not shown or not isinstance(message, AIMessage) or not (found := _LINE.search(message.text)):
            return message
        cited = [one for one in shown if one in _ID.findall(found[1])]
        content = message.content
        clean = _LINE.sub("", content) if isinstance(content, str) else [_cleaned(block) for block in content]
        return message.model_copy(
            update={"content": clean, "response_metadata": {**message.response_metadata, CITED: cited}}
        )

    def tell(self, state: Mapping[str, Any]) -> dict[str, Any] | None:
        """Report what the judge says of it, if there is one."""
        if self.judge is None:
            return None
        said = self.judge(state)
        verdict: dict[str, Any] = dict(said) if isinstance(said, Mapping) else {"correct": said}
        if verdict.get("correct") is not None:
            verdict.setdefault("verifier", self.verifier)
        try:
            self.playbook.report(**report(state), **verdict)
        except AceError as error:
            self._away(error)
        return None

    def record(self, state: Mapping[str, Any], *, correct: bool | None, verifier: str | None = None,
               expected: str | None = None, detail: str = "") -> Reported | None:  # fmt: skip
        """Report what came of a run, from its final state, once it is known; None when ACE is away."""
        try:
            return self.playbook.report(**report(state), correct=correct, verifier=verifier, expected=expected,
                                        detail=detail)  # fmt: skip
        except Outage as error:
            self._away(error)
            return None

    def _away(self, error: AceError, shown: Shown | None = None) -> Shown | None:
        log.warning("playbook_away", extra={"domain": self.playbook.domain, "error": str(error)})
        return shown


class _State(AgentState[Any]):
    playbook: Annotated[NotRequired[Shown], OmitFromInput]


class PlaybookMiddleware(AgentMiddleware[Any, Any, Any]):
    """For `create_agent`. The arguments are those of `PlaybookNodes`."""

    state_schema = _State

    def __init__(self, playbook: Playbook, **given: Any) -> None:
        super().__init__()
        self.nodes = PlaybookNodes(playbook, **given)
        self.record = self.nodes.record

    @override
    def before_agent(self, state: Any, runtime: Any) -> dict[str, Any]:
        return self.nodes.ask(state)

    @override
    async def abefore_agent(self, state: Any, runtime: Any) -> dict[str, Any]:
        return await asyncio.to_thread(self.nodes.ask, state)

    @override
    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        return self._heard(request, handler(self._shown(request)))

    @override
    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        return self._heard(request, await handler(self._shown(request)))

    @override
    def after_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        return self.nodes.tell(state)

    @override
    async def aafter_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        return await asyncio.to_thread(self.nodes.tell, state)

    def _shown(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        return request.override(system_message=self.nodes.system(request.state, request.system_message))

    def _heard(self, request: ModelRequest[Any], response: ModelResponse[Any]) -> ModelResponse[Any]:
        heard = [self.nodes.heard(request.state, message) for message in response.result]
        return ModelResponse(result=heard, structured_response=response.structured_response)


def report(state: Mapping[str, Any]) -> dict[str, Any]:
    """A run's report, without its outcome. Raises InvalidInput for a state that a playbook was not asked for."""
    if not (shown := state.get("playbook")):
        raise InvalidInput("state", "holds no playbook", "Give what the agent with the playbook returned")
    said = _since_the_user(state["messages"])
    own = [message for message in said if isinstance(message, AIMessage)]
    words = "\n".join([one.text + " ".join(one.response_metadata.get(CITED, ())) for one in own])
    structured = state.get("structured_response")
    answer = str(structured) if structured is not None else own[-1].text if own else ""
    return {"receipt": shown["receipt"], "task": shown["task"], "answer": _clean(answer), "trace": steps(said),
            "cited": [one for one in shown["shown"] if one in words],
            "latency_s": round(max(time.time() - shown["began"], 0.0), 3)}  # fmt: skip


def steps(messages: Sequence[BaseMessage]) -> list[dict[str, str]]:
    """The turns with tools: what was thought, called and answered; an answer that is an error says so."""
    answers = {one.tool_call_id: one for one in messages if isinstance(one, ToolMessage)}
    turns: list[dict[str, str]] = []
    for message in (one for one in messages if isinstance(one, AIMessage)):
        turns.extend(
            _step(message.text, call["name"], json.dumps(call["args"], default=str), _observed(answers, call["id"]))
            for call in message.tool_calls
        )
        turns.extend(
            _step(message.text, str(wrong["name"]), str(wrong["args"]), f"error: {wrong['error']}")
            for wrong in message.invalid_tool_calls
        )
    return turns


def _step(thought: str, tool: str, arguments: str, observation: str) -> dict[str, str]:
    said = {"thought": thought, "tool": tool, "arguments": arguments, "observation": observation}
    return {name: _clean(value) for name, value in said.items()}


def _observed(answers: Mapping[str, ToolMessage], call: str | None) -> str:
    if (answer := answers.get(str(call))) is None:
        return ""
    return f"error: {answer.text}" if answer.status == "error" else answer.text


def _since_the_user(messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    last = max((number for number, one in enumerate(messages) if isinstance(one, HumanMessage)), default=-1)
    return messages[last + 1 :]


def _cleaned(block: Any) -> Any:
    return {**block, "text": _LINE.sub("", block["text"])} if isinstance(block, dict) and "text" in block else block


def _clean(text: str) -> str:
    return short(text.replace("\0", " ").encode("utf-8", "replace").decode(), LONGEST_STEP)


def _storable(text: str) -> str:
    clean = _clean(text)
    return clean if clean.strip() else "(no words)"
