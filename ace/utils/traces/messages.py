"""Messages as the world writes them, read into one form.

    who writes it                  how it is known                         what it says is in
    OpenAI chat                    role, content                           content, tool_calls, tool_call_id
    OpenAI Responses               type: message, function_call, …         content, or the item itself
    Anthropic                      role, content blocks                    blocks
    OpenTelemetry, from 1.37 on    role, parts                             parts
    Gemini                         role user or model, parts               parts without a type
    OpenInference, flattened       message.role, message.content           message.contents, message.tool_calls
    LangChain                      type: human, ai, tool; lc and kwargs    content, tool_calls with args
    ShareGPT                       from, value                             value

What is none of these is kept as the text it is. The agent's own instructions, system messages, are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ace.models.trace import Message
from ace.utils.traces.blocks import CALLS, RESULTS, Json, first, fold, kind, text

ROLES = {
    **dict.fromkeys(("user", "human", "humanmessage", "prompter"), "user"),
    **dict.fromkeys(("assistant", "ai", "aimessage", "gpt", "model", "bot", "chatgpt"), "assistant"),
    **dict.fromkeys(("function_call", "custom_tool_call", "reasoning"), "assistant"),
    **dict.fromkeys(("system", "developer", "systemmessage"), "system"),
    **dict.fromkeys(("tool", "toolmessage", "function", "observation", *RESULTS), "tool"),
}
WRAPPERS = ("messages", "input_messages", "output_messages", "kwargs", "message", "choices", "generations")
ITEMS = ("message", "function_call", "custom_tool_call", "function_call_output", "custom_tool_call_output")
SYSTEM, MAX_DEPTH = "system", 12


def messages(value: Any, role: str, depth: int = 0) -> tuple[Message, ...]:
    """The messages a value holds: a list of them, one, an object that has them, JSON of these, or words of `role`."""
    value = parsed(value)
    if value is None or depth > MAX_DEPTH:
        return ()
    if isinstance(value, list):
        if value and all(map(kind, value)) and not any(map(_is_item, value)):
            return _said(fold(role, value))  # content blocks alone are one message
        return tuple(message for one in value for message in messages(one, role, depth + 1))
    if isinstance(value, dict):
        inner = next((name for name in WRAPPERS if isinstance(value.get(name), list | dict)), None)
        if inner and "role" not in value:
            return messages(value[inner], role, depth + 1)
        if is_message(value):
            return _said(message(value, role))
        if kind(value):
            return _said(fold(role, [value]))
    return _said(Message(role=role, text=text(value)))


def is_message(value: Json) -> bool:
    """Is it one message, in any of the forms above?"""
    return bool({"role", "from", "message.role", "parts"} & value.keys()) or _is_item(value) or _is_langchain(value)


def message(value: Json, role: str = "user") -> Message:
    """The one message of an object; `role` where it names none."""
    value = {name.removeprefix("message."): own for name, own in value.items()}
    named = first(value, "role", "from", "type") or _class(value)
    role = ROLES.get(str(named).lower(), role)
    content = next((value[name] for name in ("parts", "contents", "content", "value") if value.get(name)), "")
    if kind(value) and _is_item(value):
        return fold(role, [value])
    if named == "function_call":  # ShareGPT writes the call as JSON
        return fold(role, [{"type": "tool_call", **_object(content)}])
    told = content if isinstance(content, list) else [content if kind(content) else text(content)]
    if role == "tool" and not any(kind(one) in RESULTS for one in told):
        return fold(role, [{"type": "tool_result", "id": first(value, "tool_call_id", "id"), "content": content}])
    return fold(role, [*_thoughts(value), *told, *_calls(value)])


def parsed(value: Any) -> Any:
    """The value a text is JSON of, where it is an object or a list; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def unflattened(attributes: Json, prefix: str) -> list[dict[str, Any]]:
    """`{prefix}.0.message.role` and so on, as a list of objects in order."""
    found: dict[int, dict[str, Any]] = {}
    for name, value in attributes.items():
        if name.startswith(f"{prefix}."):
            number, _, rest = name[len(prefix) + 1 :].partition(".")
            if number.isdecimal() and len(number) < 6 and rest:
                found.setdefault(int(number), {})[rest.removeprefix("message.")] = value
    return [_nested(found[number]) for number in sorted(found)]


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`tool_calls.0.tool_call.id` as a list under `tool_calls`."""
    lists = {name.partition(".")[0] for name in flat if name.partition(".")[2].partition(".")[0].isdecimal()}
    plain = {name: value for name, value in flat.items() if name.partition(".")[0] not in lists}
    return plain | {name: unflattened(flat, name) for name in sorted(lists)}


def _said(made: Message) -> tuple[Message, ...]:
    says = made.text or made.thought or made.calls or made.results
    return (made,) if says and made.role != SYSTEM else ()


def _class(value: Json) -> str:
    """The name of a serialised LangChain message's class."""
    own = value.get("id")
    return str(own[-1]) if isinstance(own, list) and own else ""


def _is_item(value: Any) -> bool:
    """Is it an item of OpenAI's Responses?"""
    return isinstance(value, dict) and (
        value.get("type") in ITEMS or (value.get("type") == "reasoning" and "summary" in value)
    )


def _is_langchain(value: Json) -> bool:
    return value.get("type") in ("human", "ai", "system", "tool") and "content" in value


def _object(value: Any) -> dict[str, Any]:
    found = parsed(value)
    return found if isinstance(found, dict) else {"name": text(value)}


def _thoughts(value: Json) -> list[Json]:
    said = first(value, "reasoning_content", "reasoning", "thinking")
    return [{"type": "reasoning", "content": said}] if said else []


def _calls(value: Json) -> list[Json]:
    """The calls a message asks for beside its content, as blocks."""
    asked = value.get("tool_calls") if isinstance(value.get("tool_calls"), list) else []
    if isinstance(value.get("function_call"), dict):  # before there were several
        asked = [value["function_call"]]
    return [{**_flat_call(one), "type": CALLS[0]} for one in asked or () if isinstance(one, dict)]


def _flat_call(value: Json) -> dict[str, Any]:
    """`tool_call.function.name`, as OpenInference has it, as `name`."""
    value = value["tool_call"] if isinstance(value.get("tool_call"), dict) else value
    return {name.removeprefix("tool_call.").removeprefix("function."): own for name, own in value.items()}
