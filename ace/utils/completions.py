"""What a model provider answered, whole or as a stream of events, read into one message.

dialect     whole                       as a stream
chat        choices[0].message          data: deltas of choices[0], put together by index
responses   output, a list of items     the event response.completed, which holds it whole
messages    content, a list of blocks   content_block_start and content_block_delta, put together by index

An answer that broke off, or that is none of these, is None: there is nothing to learn from half a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from ace.core.prompting import Dialect
from ace.models.trace import Message
from ace.utils.traces.messages import messages

Json = dict[str, Any]


def answered(dialect: Dialect, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Message | None:
    """The message of a provider's answer; `body` as it came, compressed or not."""
    try:
        response = httpx.Response(200, headers=list(headers), content=body)
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        whole = _STREAMS[dialect](list(_events(response.text))) if streamed else response.json()
    except (httpx.DecodingError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None  # whatever it is, it is not this dialect
    said = _WHOLE[dialect](whole) if isinstance(whole, dict) else None
    found = messages(said, "assistant") if isinstance(said, list | dict) else ()
    return _joined([one for one in found if one.role == "assistant"])


def _joined(found: Sequence[Message]) -> Message | None:
    """Responses has an item for a thought, one for each call, one for the words."""
    if not found:
        return None
    return Message(
        role="assistant",
        text="\n".join(one.text for one in found if one.text),
        thought="\n".join(one.thought for one in found if one.thought),
        calls=tuple(call for one in found for call in one.calls),
    )


def _events(text: str) -> Iterator[Json]:
    """The JSON of each `data:` line; `[DONE]` ends a chat."""
    for line in text.splitlines():
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data and data != "[DONE]":
            event = json.loads(data)
            if isinstance(event, dict):
                yield event


def _first_choice(body: Json) -> Any:
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("message") if isinstance(first, dict) else None


def _content(body: Json) -> Any:
    return {"role": "assistant", "content": body.get("content") or []}


def _chat_stream(events: Sequence[Json]) -> Json | None:
    words: list[str] = []
    calls: dict[int, Json] = {}
    ended = False
    for event in events:
        choice: Json = next(iter(event.get("choices") or ()), {})
        delta = choice.get("delta") or {}
        words.append(delta.get("content") or "")
        for part in delta.get("tool_calls") or ():
            own = calls.setdefault(part.get("index", 0), {"id": "", "name": "", "arguments": ""})
            function = part.get("function") or {}
            own["id"] = part.get("id") or own["id"]
            own["name"] += function.get("name") or ""
            own["arguments"] += function.get("arguments") or ""
        ended = ended or bool(choice.get("finish_reason"))
    asked = [{"id": one["id"], "function": one} for _, one in sorted(calls.items())]
    message = {"role": "assistant", "content": "".join(words), "tool_calls": asked}
    return {"choices": [{"message": message}]} if ended else None


def _responses_stream(events: Sequence[Json]) -> Json | None:
    return next((event["response"] for event in events if event.get("type") == "response.completed"), None)


def _messages_stream(events: Sequence[Json]) -> Json | None:
    blocks: dict[int, Json] = {}
    for event in events:
        if event.get("type") == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "partial": ""}
        elif event.get("type") == "content_block_delta" and event.get("index") in blocks:
            _extend(blocks[event["index"]], event["delta"])
    for block in blocks.values():
        if partial := block.pop("partial"):
            block["input"] = json.loads(partial)
    ended = any(event.get("type") == "message_stop" for event in events)
    return {"content": [blocks[index] for index in sorted(blocks)]} if ended else None


def _extend(block: Json, delta: Mapping[str, Any]) -> None:
    match delta.get("type"):
        case "text_delta":
            block["text"] = block.get("text", "") + delta["text"]
        case "thinking_delta":
            block["thinking"] = block.get("thinking", "") + delta["thinking"]
        case "input_json_delta":
            block["partial"] += delta["partial_json"]


_WHOLE = {Dialect.CHAT: _first_choice, Dialect.RESPONSES: lambda body: body.get("output"), Dialect.MESSAGES: _content}
_STREAMS = {Dialect.CHAT: _chat_stream, Dialect.RESPONSES: _responses_stream, Dialect.MESSAGES: _messages_stream}


def asked(dialect: Dialect, request: Json) -> tuple[Message, ...]:
    """The conversation a request carries, without the agent's own instructions."""
    said = request.get("input" if dialect == Dialect.RESPONSES else "messages")
    return messages(said, "user")
