"""Content blocks, and the message they make up. A block is known by its type, or by the one field it has.

    text      text, input_text, output_text         {"text"}, {"content"}
    thought   reasoning, thinking                   {"content"}, {"thinking"}, {"summary"}
    call      tool_call, tool_use, function_call    {"id" or "call_id", "name", "arguments" or "args" or "input"}
    result    tool_call_response, tool_result, …    {"id" or "tool_use_id" or "call_id", "response" or "result" or …}

Images, sound and files are left out. NUL and halves of characters, which no database stores, are taken out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ace.core.traces import cut
from ace.models.trace import Message, ToolCall, ToolResult

Json = Mapping[str, Any]
BY_FIELD = ("text", "functionCall", "functionResponse", "function_call", "function_response")


def kind(block: Any) -> str:
    """What kind of block it is; empty when it is none."""
    if not isinstance(block, dict) or "role" in block:
        return ""
    named = block.get("type") or block.get("message_content.type")
    found = str(named or next((name for name in BY_FIELD if name in block), ""))
    return found if found in KINDS else ""


def fold(role: str, blocks: Iterable[Any]) -> Message:
    """The message of these blocks; what is no block we know says nothing."""
    found: dict[str, list[Any]] = {"text": [], "thought": [], "calls": [], "results": []}
    for block in blocks:
        place, made = read(block)
        if made and made not in found[place]:
            found[place].append(made)
    return Message(role=role, text="\n".join(found["text"]), thought="\n".join(found["thought"]),
                   calls=tuple(found["calls"]), results=tuple(found["results"]))  # fmt: skip


def read(block: Any) -> tuple[str, Any]:
    """Where in a message it belongs, and what it says."""
    if not isinstance(block, dict):
        return "text", text(block)
    if isinstance(block.get("message_content"), dict):
        block = block["message_content"]
    place, reader = KINDS.get(kind(block), ("text", _nothing))
    return place, reader({name.removeprefix("message_content."): own for name, own in block.items()})


def text(value: Any) -> str:
    """The value as words: a text as it is, content blocks by their texts, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list) and value and all(map(kind, value)):
        return fold("user", value).text
    try:
        return clean(json.dumps(value, ensure_ascii=False))
    except (ValueError, RecursionError):
        return ""


def clean(words: str) -> str:
    """What can be stored of it, its ends trimmed, its middle cut where it is very long."""
    if not words.isascii():
        words = words.encode("utf-8", "replace").decode()
    return cut(words.replace("\0", "").strip())


def call(block: Json) -> ToolCall:
    """The call of a tool that a block asks for."""
    block = {**block, **_inner(block, "function", "functionCall", "function_call")}
    asked = first(block, "arguments", "args", "input", "parameters")
    own = first(block, "call_id", "id", "tool_call_id", "tool_use_id")
    return ToolCall(id=text(own), name=text(first(block, "name", "tool_name")), arguments=text(asked))


def result(block: Json) -> ToolResult:
    """What a block says that a tool answered."""
    block = {**block, **_inner(block, "functionResponse", "function_response")}
    said = first(block, "response", "result", "content", "output")
    return ToolResult(id=text(first(block, "tool_use_id", "tool_call_id", "call_id", "id")), text=text(said))


def first(block: Json, *names: str) -> Any:
    """The first of these fields that is there."""
    return next((block[name] for name in names if block.get(name) is not None), None)


def _inner(block: Json, *names: str) -> Json:
    return next((block[name] for name in names if isinstance(block.get(name), dict)), {})


def _words(block: Json) -> str:
    return text(first(block, "text", "content", "thinking", "summary"))


def _nothing(_: Json) -> str:
    return ""


CALLS = ("tool_call", "tool_use", "tool-call", "functionCall", "function_call", "custom_tool_call")
RESULTS = ("tool_call_response", "tool_result", "tool-result", "functionResponse", "function_response",
           "function_call_output", "custom_tool_call_output")  # fmt: skip
KINDS: Mapping[str, tuple[str, Callable[[Json], Any]]] = {
    **dict.fromkeys(("text", "input_text", "output_text"), ("text", _words)),
    **dict.fromkeys(("reasoning", "thinking"), ("thought", _words)),
    **dict.fromkeys(CALLS, ("calls", call)),
    **dict.fromkeys(RESULTS, ("results", result)),
}
