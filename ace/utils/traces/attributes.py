"""What the attributes and events of a span say of an agent's work, by whichever convention they were written.

    OpenTelemetry GenAI        gen_ai.*: semantic-conventions-genai 0.1.0, back to 1.37, messages as attributes
    the same before 1.37       messages as events: gen_ai.user.message … gen_ai.choice, gen_ai.content.prompt
    OpenInference (Phoenix)    openinference.span.kind, llm.input_messages.0.…, input.value, tool.name
    Langfuse's SDKs, 3 on      langfuse.observation.type, .input, .output
    LangSmith (LangChain)      langsmith.span.kind, gen_ai.prompt and gen_ai.completion as JSON
    Traceloop (OpenLLMetry)    traceloop.span.kind, traceloop.entity.input, gen_ai.prompt.0.…
    pydantic-ai                pydantic_ai.all_messages, final_result, tool_arguments

A span that none of these is about says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ace.models.task import FeedbackSource
from ace.models.trace import Message, Score, Span, SpanKind, ToolCall
from ace.utils.traces.blocks import Json, first, text
from ace.utils.traces.messages import messages, parsed, unflattened

Event = tuple[str, Json]
AGENT, MODEL, TOOL, OTHER = SpanKind.AGENT, SpanKind.MODEL, SpanKind.TOOL, SpanKind.OTHER
KIND_NAMES = ("langsmith.span.kind", "gen_ai.operation.name", "openinference.span.kind", "langfuse.observation.type",
              "traceloop.span.kind", "llm.request.type")  # fmt: skip
KINDS = {
    **dict.fromkeys(("invoke_agent", "create_agent", "invoke_workflow", "agent"), AGENT),
    **dict.fromkeys(("chat", "generate_content", "text_completion", "completion", "llm", "generation"), MODEL),
    **dict.fromkeys(("execute_tool", "tool"), TOOL),
}
INPUTS = ("gen_ai.input.messages", "llm.input_messages", "gen_ai.prompt", "langfuse.observation.input", "input.value",
          "traceloop.entity.input", "langfuse.trace.input", "ai.prompt.messages", "ai.prompt")  # fmt: skip
OUTPUTS = ("gen_ai.output.messages", "llm.output_messages", "gen_ai.completion", "langfuse.observation.output",
           "output.value", "traceloop.entity.output", "langfuse.trace.output", "final_result",
           "ai.response.text")  # fmt: skip
WHOLE = ("pydantic_ai.all_messages", "all_messages_events")
TOOL_NAMES = ("gen_ai.tool.name", "tool.name", "tool_call.function.name")
ARGUMENTS = ("gen_ai.tool.call.arguments", "tool_arguments", "tool_call.function.arguments", "input.value",
             "langfuse.observation.input", "traceloop.entity.input")  # fmt: skip
RESULTS = ("gen_ai.tool.call.result", "tool_response", "output.value", "langfuse.observation.output",
           "traceloop.entity.output")  # fmt: skip
CALL_IDS = ("gen_ai.tool.call.id", "tool_call.id", "tool.id")


def span(
    told: Span,
    attributes: Json,
    events: Sequence[Event] = (),
    *,
    kind: SpanKind | None = None,
    failed: str | None = None,
) -> Span:
    """The span with what its attributes and events say. `failed`: its status is an error, with these words."""
    named = kind_of(attributes)
    kind = kind or named or OTHER
    error = _error(attributes, events, failed)
    if kind == TOOL:
        called = ToolCall(id=text(first(attributes, *CALL_IDS)), arguments=text(first(attributes, *ARGUMENTS)),
                          name=text(first(attributes, *TOOL_NAMES)) or _tool_of(told.name))  # fmt: skip
        return replace(told, kind=kind, call=called, result=text(first(attributes, *RESULTS)), error=error)
    heard, said = _listed(attributes, INPUTS, "user"), _listed(attributes, OUTPUTS, "assistant")
    asked, answered = told_by_events(events)
    heard, said = heard or asked, said or answered
    if not heard and (whole := _listed(attributes, WHOLE, "user")):
        heard, said = whole[:-1], said or whole[-1:]
    if kind == OTHER and not named and not heard and not said:
        return told
    return replace(told, kind=kind, input=heard, output=said, error=error)


def kind_of(attributes: Json) -> SpanKind | None:
    """What the span is about; None when no convention we know says it."""
    named = first(attributes, *KIND_NAMES)
    return KINDS.get(str(named).lower(), OTHER) if named is not None else None


def told_by_events(events: Sequence[Event]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """What was heard and what was said, as events tell it: one for each message, or one for all."""
    heard: list[Message] = []
    said: list[Message] = []
    for name, body in events:
        body = {key: parsed(value) for key, value in body.items()}
        whole = body.get("gen_ai.event.content")
        body = whole if isinstance(whole, dict) else body
        if name == "gen_ai.choice":
            said += messages(body.get("message", body), "assistant")
        elif name.startswith("gen_ai.") and name.endswith(".message"):
            heard += messages({"role": name.split(".")[1], **body}, "user")
        elif name.startswith("gen_ai."):
            heard += _listed(body, ("gen_ai.input.messages", "gen_ai.prompt"), "user")
            said += _listed(body, ("gen_ai.output.messages", "gen_ai.completion"), "assistant")
    return tuple(heard), tuple(said)


def scores(attributes: Json, events: Sequence[Event]) -> list[Score]:
    """What evaluations said, as events `gen_ai.evaluation.result`, or as attributes of an evaluation's own span."""
    found = [body for name, body in events if name == "gen_ai.evaluation.result"]
    if "gen_ai.evaluation.name" in attributes:
        found.append(attributes)
    return [_score(body) for body in found if body.get("gen_ai.evaluation.name")]


def flattened(attributes: Any, prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Nested attributes by their dotted names; lists stay lists."""
    if not isinstance(attributes, Mapping) or depth > 8:
        return {}
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        inner = flattened(value, f"{prefix}{name}.", depth + 1) if isinstance(value, Mapping) else {}
        found |= inner or {f"{prefix}{name}": value}
    return found


def _listed(attributes: Json, names: Sequence[str], role: str) -> tuple[Message, ...]:
    """The messages of the first of these attributes that has any."""
    for name in names:
        value = first(attributes, name) or unflattened(attributes, name)
        if found := messages(value, role) if value else ():
            return found
    return _listed_events(attributes) if role == "user" and names is INPUTS else ()


def _listed_events(attributes: Json) -> tuple[Message, ...]:
    """pydantic-ai's events before its third version, all in one attribute."""
    found = parsed(attributes.get("events"))
    told = (
        [(str(one.get("event.name")), one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    )
    heard, said = told_by_events(told)
    return (*heard, *said)


def _tool_of(name: str) -> str:
    return name.removeprefix("execute_tool ").removeprefix("running tool: ") or "tool"


def _error(attributes: Json, events: Sequence[Event], failed: str | None) -> str:
    if failed is None:
        return ""
    raised = next((body for name, body in events if name == "exception"), {})
    kind = text(first(raised, "exception.type") or first(attributes, "error.type"))
    said = text(failed or first(raised, "exception.message"))
    return said or kind or "failed"


def _score(body: Json) -> Score:
    value = body.get("gen_ai.evaluation.score.value")
    return Score(
        name=text(body["gen_ai.evaluation.name"]),
        value=float(value) if isinstance(value, int | float) else None,
        label=text(body.get("gen_ai.evaluation.score.label")),
        comment=text(body.get("gen_ai.evaluation.explanation")),
        source=FeedbackSource.JUDGE,
    )
