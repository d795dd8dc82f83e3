"""Conversations, one a line, as they are kept for fine-tuning.

    {"messages": [{"role": "user", "content": "…"}, …]}              OpenAI's fine-tuning format, and chat requests
    {"conversations": [{"from": "human", "value": "…"}, …]}          ShareGPT
    {"prompt": "…", "completion": "…"}                               either may be messages

The task is the last user message, the answer what the assistant said last. What came of it may stand beside it:

    outcome     true, false, or {"correct", "verifier", "expected", "detail"} as in a report over HTTP
    score       a number, a word, or {"name": number or word}
    expected    the right answer; without an outcome, an answer that equals it is right
    verifier    who says so, of outcome or score: human, test, llm_judge …; default: environment
    id          what it is known by; default: a digest of the conversation
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ace.core.checking import check
from ace.core.journal import digest
from ace.models.task import FeedbackSource, Task
from ace.models.trace import Message, Score, Span, SpanKind, Trace, TraceSource
from ace.utils.episode_report import VERIFIERS
from ace.utils.json_lines import json_type
from ace.utils.traces.blocks import first, text
from ace.utils.traces.messages import messages
from ace.utils.traces.records import Record

TALK = ("messages", "conversations", "conversation")
IDS = ("id", "conversation_id", "session_id", "trace_id")


def traces(record: Record) -> Iterator[Trace]:
    """The one conversation of a line. Raises InvalidInput naming what cannot be used."""
    talk = _talk(record)
    said = [number for number, one in enumerate(talk) if one.role == "assistant" and (one.text or one.calls)]
    end = said[-1] if said else len(talk)
    span = Span(id="chat", name="chat", kind=SpanKind.MODEL, input=talk[:end], output=talk[end : end + 1])
    expected = _expected(record)
    scores = tuple(_scores(record)) or _compared(span, expected)
    own = text(first(record.fields, *IDS)) or _made_id(record)
    yield Trace(source=TraceSource.CHATS, id=own, spans=(span,), scores=scores, expected=expected)


def _made_id(record: Record) -> str:
    """What was said, as a digest: the same conversation is the same, whatever is said of it later."""
    told = [record.fields.get(name) for name in (*TALK, "prompt", "completion")]
    return digest(json.dumps(told, sort_keys=True).encode())[:32]


def _talk(record: Record) -> tuple[Message, ...]:
    fields = record.fields
    name = next((name for name in TALK if name in fields), None)
    if name is None and not {"prompt", "completion"} <= fields.keys():
        raise record.fault("messages", "is missing", "Give messages, conversations, or prompt and completion")
    if name is None:
        return (*messages(fields["prompt"], "user"), *messages(fields["completion"], "assistant"))
    if not isinstance(fields[name], list):
        raise record.fault(name, f"should be an array, not {json_type(fields[name])}")
    for number, one in enumerate(fields[name]):
        if not isinstance(one, dict):
            raise record.fault(f"{name}[{number}]", f"should be an object, not {json_type(one)}")
    return messages(fields[name], "user")


def _expected(record: Record) -> str | None:
    outcome = record.fields.get("outcome")
    found = first(record.fields, "expected", "ground_truth") or (
        outcome.get("expected") if isinstance(outcome, dict) else None
    )
    return text(found) or None


def _scores(record: Record) -> Iterator[Score]:
    outcome, score = record.fields.get("outcome"), record.fields.get("score")
    told = outcome if isinstance(outcome, dict) else {"correct": outcome}
    source = _source(record, told.get("verifier") or record.fields.get("verifier"))
    if told.get("correct") is not None or told.get("detail"):
        yield _score("outcome", told.get("correct"), source, text(told.get("detail")))
    named = score if isinstance(score, dict) else {"score": score}
    for name, value in named.items():
        if value is not None:
            if not isinstance(value, bool | int | float | str):
                raise record.fault("score", f"should be a number or a word, not {json_type(value)}")
            yield _score(text(name), value, source)


def _score(name: str, value: Any, source: FeedbackSource, comment: str = "") -> Score:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    label = "" if number or value is None else str(value).lower()
    return Score(name=name, value=float(value) if number else None, label=label, source=source, comment=comment)


def _source(record: Record, verifier: Any) -> FeedbackSource:
    if verifier is None:
        return FeedbackSource.ENVIRONMENT
    if verifier not in VERIFIERS:
        raise record.fault("verifier", f"{str(verifier)[:40]!r} is none", f"Use one of {', '.join(VERIFIERS)}")
    return VERIFIERS[verifier]


def _compared(span: Span, expected: str | None) -> tuple[Score, ...]:
    answer = span.output[0].text if span.output else ""
    if expected is None or not answer:
        return ()
    said = check(Task(id="chat", question="chat", ground_truth=expected), answer)
    label = str(said.correct).lower()
    return (Score(name="correct", label=label, comment=said.detail, source=FeedbackSource.GROUND_TRUTH),)
