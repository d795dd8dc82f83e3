"""A trace: what somebody else's instruments wrote down of one piece of an agent's work, in one form for all of them.

Trace ─── spans: who did what, from when to when, inside of what ─── messages ─── calls of tools, and their results
  └────── scores: what somebody said of it afterwards
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from ace.models.task import FeedbackSource


class TraceSource(StrEnum):
    """Who wrote the trace; the first part of the id of the episode it becomes."""

    OTLP = "otlp"  # OpenTelemetry spans, sent to us or in a file
    CHATS = "chats"  # conversations, one a line
    LANGFUSE = "langfuse"
    PHOENIX = "phoenix"
    PROXY = "proxy"  # heard between an agent and its model


class SpanKind(StrEnum):
    """What a span is about."""

    AGENT = "agent"  # an agent, a chain or a workflow: others are inside of it
    MODEL = "model"  # one call of a language model
    TOOL = "tool"  # one call of a tool
    OTHER = "other"  # the rest


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A tool, what it was asked, and the id by which its result is known."""

    id: str = ""
    name: str
    arguments: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolResult:
    """What a tool said to the call of this id."""

    id: str = ""
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message of a conversation. `role`: system, user, assistant or tool."""

    role: str
    text: str = ""
    thought: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `asdict`."""
        calls = tuple(ToolCall(**one) for one in data["calls"])
        return cls(**{**data, "calls": calls, "results": tuple(ToolResult(**one) for one in data["results"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """One thing that was done. `parent`: the span it was done inside of; times in seconds since the epoch.

    `call` and `result` are a tool's. `error`: why it failed, if it did.
    """

    id: str
    parent: str = ""
    name: str = ""
    kind: SpanKind = SpanKind.OTHER
    start: float = 0.0
    end: float = 0.0
    input: tuple[Message, ...] = ()
    output: tuple[Message, ...] = ()
    call: ToolCall | None = None
    result: str = ""
    error: str = ""

    @property
    def says_something(self) -> bool:
        """Is there anything in it to learn from?"""
        return bool(self.input or self.output or self.call or self.result or self.error)


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """What `source` said of a trace: a number, a word, or both."""

    name: str
    value: float | None = None
    label: str = ""
    comment: str = ""
    source: FeedbackSource = FeedbackSource.JUDGE


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """What is known of it so far. `id`: as its source has it; `expected`: the right answer, where that is known."""

    source: TraceSource
    id: str
    spans: tuple[Span, ...] = ()
    scores: tuple[Score, ...] = ()
    expected: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Each message once: every call of a model repeats those before it."""
        pool: dict[Message, int] = {}
        spans = [_span_to_json(span, pool) for span in self.spans]
        return {"source": self.source.value, "id": self.id, "messages": [asdict(one) for one in pool], "spans": spans,
                "scores": [asdict(one) for one in self.scores], "expected": self.expected}  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse."""
        pool = [Message.from_json(one) for one in data["messages"]]
        scores = tuple(Score(**{**one, "source": FeedbackSource(one["source"])}) for one in data["scores"])
        return cls(source=TraceSource(data["source"]), id=data["id"], scores=scores, expected=data["expected"],
                   spans=tuple(_span_from_json(one, pool) for one in data["spans"]))  # fmt: skip


def _span_to_json(span: Span, pool: dict[Message, int]) -> dict[str, Any]:
    told = {name: getattr(span, name) for name in ("id", "parent", "name", "start", "end", "result", "error")}
    talk = {name: [pool.setdefault(one, len(pool)) for one in getattr(span, name)] for name in ("input", "output")}
    return {**told, **talk, "kind": span.kind.value, "call": asdict(span.call) if span.call else None}


def _span_from_json(data: Mapping[str, Any], pool: list[Message]) -> Span:
    talk = {name: tuple(pool[place] for place in data[name]) for name in ("input", "output")}
    call = ToolCall(**data["call"]) if data["call"] else None
    return Span(**{**data, **talk, "kind": SpanKind(data["kind"]), "call": call})
