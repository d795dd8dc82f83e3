"""What a model says, as three interfaces write it: whole, or as the events of a stream. Where `FakeProvider` looks.

chat/completions   OpenAI's chat           a text, or a call of a tool; streams of text go word by word
responses          OpenAI's responses
messages           Anthropic's messages
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Event = tuple[str, Any]
USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
CALL_ID = "call_1"


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """The model asks for a tool; `id` tells calls of one conversation apart."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    id: str = CALL_ID


Said = str | ToolCall


def words(text: str) -> list[str]:
    """The text in pieces that add up to it."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


def _function(call: ToolCall) -> dict[str, str]:
    return {"name": call.tool, "arguments": json.dumps(call.arguments)}


def _chat(said: Said) -> Any:
    message: dict[str, Any] = {"role": "assistant", "content": said}
    if isinstance(said, ToolCall):
        message |= {"content": None, "tool_calls": [{"id": said.id, "type": "function", "function": _function(said)}]}
    ended = "stop" if isinstance(said, str) else "tool_calls"
    return {"id": "chat-1", "object": "chat.completion", "created": 1, "model": "fake",
            "choices": [{"index": 0, "message": message, "finish_reason": ended}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}  # fmt: skip


def _chat_events(said: Said) -> Iterator[Event]:
    base = {"id": "chat-1", "object": "chat.completion.chunk", "created": 1, "model": "fake"}
    whole = _chat(said)["choices"][0]
    calls = [{"index": 0, **call} for call in whole["message"].get("tool_calls", [])]
    deltas = [{"content": word} for word in words(said)] if isinstance(said, str) else [{"tool_calls": calls}]
    for delta in deltas:
        yield "", {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield "", {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": whole["finish_reason"]}]}
    yield "", "[DONE]"


def _response(said: Said) -> Any:
    if isinstance(said, ToolCall):
        output: dict[str, Any] = {"type": "function_call", "id": f"f-{said.id}", "call_id": said.id,
                                  "status": "completed", **_function(said)}  # fmt: skip
    else:
        content = [{"type": "output_text", "text": said, "annotations": []}]
        output = {"type": "message", "id": "m1", "status": "completed", "role": "assistant", "content": content}
    return {"id": "resp-1", "object": "response", "created_at": 1, "model": "fake", "status": "completed",
            "output": [output], "parallel_tool_calls": False, "tool_choice": "auto", "tools": [],
            "usage": USAGE}  # fmt: skip


def _response_events(said: Said) -> Iterator[Event]:
    at = {"item_id": "m1", "output_index": 0, "content_index": 0}
    for number, word in enumerate(words(said) if isinstance(said, str) else ()):
        kind = "response.output_text.delta"
        yield kind, {"type": kind, "delta": word, "sequence_number": number, "logprobs": [], **at}
    yield (
        "response.completed",
        {"type": "response.completed", "sequence_number": 99, "response": _response(said)},
    )


def _block(said: Said) -> dict[str, Any]:
    if isinstance(said, str):
        return {"type": "text", "text": said}
    return {"type": "tool_use", "id": said.id, "name": said.tool, "input": said.arguments}


def _message(said: Said) -> Any:
    return {"id": "msg-1", "type": "message", "role": "assistant", "model": "fake", "stop_sequence": None,
            "stop_reason": "end_turn" if isinstance(said, str) else "tool_use", "content": [_block(said)],
            "usage": {"input_tokens": 3, "output_tokens": 2}}  # fmt: skip


def _message_events(said: Said) -> Iterator[Event]:
    whole, empty = _message(said), "" if isinstance(said, str) else {}
    block = {**_block(said), "text" if isinstance(said, str) else "input": empty}
    yield "message_start", {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}
    if isinstance(said, str):
        deltas = [{"type": "text_delta", "text": word} for word in words(said)]
    else:
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(said.arguments)}]
    for delta in deltas:
        yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 2}}
    yield "message_stop", {"type": "message_stop"}


DIALECTS: dict[str, tuple[Callable[[Said], Any], Callable[[Said], Iterator[Event]]]] = {
    "chat/completions": (_chat, _chat_events),
    "responses": (_response, _response_events),
    "messages": (_message, _message_events),
}
