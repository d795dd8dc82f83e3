"""What a trace tells: the task, what was done, the answer, and what came of it. One trace is one episode.

    the head    the outermost span that says something; of several, an agent before a single call of a model
    the task    what the head was asked; where that is no plain text, the last user message before the first answer
    context     the messages of people and of the agent that came before it
    steps       the calls of tools that the agent's models asked for, with their results; else the spans of tools
    answer      what the head said in the end; else the last words of the agent's last model
    outcome     the scores (`ace.core.scores`); else, when the head failed, wrong by its error; else unknown

A model's call repeats the conversation before it, so each message counts once. Calls inside of a further agent belong
to that agent: what it was asked and what it said are one step of the outer one, if a tool span or a call says so.
Long texts are cut in the middle, so that no trace is too large to learn from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ace.core.scores import USUAL, Yardstick, feedback
from ace.errors import InvalidInput
from ace.models.episode import Episode
from ace.models.task import Feedback, FeedbackSource, Step, Task, Trajectory
from ace.models.trace import Message, Span, SpanKind, ToolCall, Trace

MAX_TASK_CHARS, MAX_TEXT_CHARS, MAX_STEPS, MAX_ID_CHARS = 50_000, 20_000, 500, 150
NO_TASK = "has no task: no span holds a user message or an input"
CAPTURE = "Let the instrumentation capture messages: OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def episode_id(trace: Trace) -> str:
    """The episode's id: its source and the trace's own id; a digest of one that is long or has strange signs."""
    plain = trace.id.isascii() and all(sign.isalnum() or sign in "-_.:" for sign in trace.id)
    own = trace.id if plain and len(trace.id) <= MAX_ID_CHARS else hashlib.sha256(trace.id.encode()).hexdigest()[:32]
    return f"{trace.source}-{own}"


def to_episode(
    trace: Trace, *, domain_id: str, now: float, principal: str | None = None, yardstick: Yardstick = USUAL
) -> Episode:
    """The episode a trace is. Raises InvalidInput when it has no task."""
    own, head = episode_id(trace), _head(trace.spans)
    earlier, asked, turn = _talk(trace.spans, head)
    question = _plain_text(head) or (asked.text if asked else "")
    if head is None or not question:
        raise InvalidInput(f"trace {trace.id[:80]}", NO_TASK, CAPTURE)
    error = head.error or None
    judged = _with_error(feedback(trace.scores, yardstick, trace.expected), error)
    task = Task(id=own, question=cut(question, MAX_TASK_CHARS), context=cut(_told(earlier)),
                ground_truth=trace.expected)  # fmt: skip
    did = Trajectory(task_id=own, episode_id=own, answer="" if error else _answered(head, turn), error=error,
                     steps=_steps(trace.spans, turn), latency_s=_seconds(trace.spans))  # fmt: skip
    return Episode(id=own, domain_id=domain_id, task=task, trajectory=did, feedback=judged, principal=principal,
                   reported_at=now)  # fmt: skip


def cut(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    """The text, its middle left out where it is longer than that."""
    if len(text) <= limit:
        return text
    half = (limit - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


def _with_error(judged: Feedback, error: str | None) -> Feedback:
    if error is None or judged.correct is not None:
        return judged
    told = "\n".join(filter(None, (error, judged.detail)))
    return replace(judged, correct=False, source=FeedbackSource.ERROR, detail=told)


def _head(spans: Sequence[Span]) -> Span | None:
    """The outermost span, an agent if there is one."""
    known = {span.id for span in spans if span.says_something}
    said = [span for span in spans if span.says_something and span.kind != SpanKind.TOOL and span.parent not in known]
    rank = {SpanKind.AGENT: 0, SpanKind.OTHER: 1, SpanKind.MODEL: 2}
    return min(said, key=lambda span: (rank[span.kind], span.start), default=None)


def _talk(spans: Sequence[Span], head: Span | None) -> tuple[Sequence[Message], Message | None, Sequence[Message]]:
    """What was said before the task, the message that is the task, and what came after; each message once."""
    own = _own_models(spans) or ([head] if head else [])
    talk = list(dict.fromkeys(message for span in own for message in (*span.input, *span.output)))
    questions = [one for one in (own[0].input if own else ()) if _asks(one)] or [one for one in talk if _asks(one)][:1]
    if not questions:
        return (), None, talk
    place = talk.index(questions[-1])
    return talk[:place], questions[-1], talk[place + 1 :]


def _own_models(spans: Sequence[Span]) -> Sequence[Span]:
    """The calls of models that are inside of the fewest agents, in order."""
    by_id = {span.id: span for span in spans}
    models = [span for span in spans if span.kind == SpanKind.MODEL]
    depths = {span.id: _agents_around(span, by_id) for span in models}
    least = min(depths.values(), default=0)
    return sorted((span for span in models if depths[span.id] == least), key=lambda span: span.start)


def _asks(message: Message) -> bool:
    return message.role == "user" and bool(message.text)


def _agents_around(span: Span, by_id: dict[str, Span]) -> int:
    count, seen = 0, {span.id}
    while (above := by_id.get(span.parent)) and above.id not in seen:
        count, span = count + (above.kind == SpanKind.AGENT), above
        seen.add(above.id)
    return count


def _plain_text(head: Span | None) -> str:
    """What the head was asked, where that is one plain text."""
    only = head.input[0] if head and len(head.input) == 1 else None
    return only.text if only and _asks(only) and not only.text.lstrip().startswith(("{", "[")) else ""


def _told(messages: Sequence[Message]) -> str:
    return "\n".join(f"{one.role}: {one.text}" for one in messages if one.role in ("user", "assistant") and one.text)


def _answered(head: Span, turn: Sequence[Message]) -> str:
    own = [one.text for one in head.output if one.text] if head.kind != SpanKind.MODEL else []
    said = own or [one.text for one in turn if one.role == "assistant" and one.text and not one.calls]
    return cut(said[-1]) if said else ""


def _seconds(spans: Sequence[Span]) -> float:
    """From the first beginning to the last end."""
    begun = [span.start for span in spans if span.start]
    return max(round(max(span.end for span in spans) - min(begun), 3), 0.0) if begun else 0.0


def _steps(spans: Sequence[Span], talk: Sequence[Message]) -> tuple[Step, ...]:
    results = {one.id: one.text for message in talk for one in message.results}
    tools = sorted((s for s in spans if s.kind == SpanKind.TOOL and s.call), key=lambda span: span.start)
    done = {span.call.id: span for span in tools if span.call and span.call.id}
    steps = [_step(message, call, results, done) for message, call in _calls(talk)]
    steps = steps or [_tool_step(span) for span in tools]
    return tuple(steps[:MAX_STEPS])


def _calls(talk: Sequence[Message]) -> Iterator[tuple[Message, ToolCall]]:
    """Every call once, with the message that asks for it."""
    seen: set[str] = set()
    for message in talk:
        for call in message.calls:
            if not call.id or call.id not in seen:
                seen.add(call.id)
                yield message, call


def _step(message: Message, call: ToolCall, results: dict[str, str], done: dict[str, Span]) -> Step:
    first = message.calls[0] is call
    said = results.get(call.id, "")
    if not said and call.id in done:
        said = _tool_said(done[call.id])
    thought = "\n".join(filter(None, (message.thought, message.text))) if first else ""
    return Step(thought=cut(thought), tool=call.name, arguments=cut(call.arguments), observation=cut(said))


def _tool_step(span: Span) -> Step:
    assert span.call is not None
    return Step(thought="", tool=span.call.name, arguments=cut(span.call.arguments), observation=cut(_tool_said(span)))


def _tool_said(span: Span) -> str:
    return span.result or (f"error: {span.error}" if span.error else "")
