"""A shop whose model knows a shelf only once a bullet tells it, so that a playbook that works is seen in the answers.

Asked "Where is lamp 17?", it says "unknown", unless it reads "Every lamp stands on shelf L4."; then it says that, and
cites the bullet. Asked to reflect on an answer whose truth it is told, it writes that sentence. It speaks DSPy's chat
format, JSON, and plainly, as an agent that calls tools.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ace.testing.llm import ChatRequest, Reply

SHELVES = {"lamp": "L4", "rope": "R9", "soap": "S2"}
UNKNOWN = "unknown"
RULE = re.compile(r"\[([a-z]+-[a-z2-7]{10})\] Every (\w+) stands on shelf (\w+)\.")


def rule(kind: str) -> str:
    return f"Every {kind} stands on shelf {SHELVES[kind]}."


def clerk(request: ChatRequest) -> Reply | str:
    """What the model says."""
    asked = request.schema["properties"] if request.schema else {}
    if "lessons" in asked:
        return reflected(request)
    if "[[ ##" not in request.prompt and "JSON object" not in request.prompt:
        return conversed(request)
    kind = re.findall(r"(lamp|rope|soap) \d+", request.messages[-1]["content"])[-1]
    known = next((one for one in RULE.findall(request.prompt) if one[1] == kind), None)
    own, shelf = (known[0], known[2]) if known else ("", UNKNOWN)
    said = {"reasoning": "I looked for a rule.", "cited_bullets": f"[{own}]" if own else ""}
    return written(request, {**turn(request, shelf), **said}, shelf)


def conversed(request: ChatRequest) -> Reply:
    """In a conversation, where it may call tools: it looks where it thinks it is, and answers."""
    asked = [one for one in request.messages if one["role"] == "user"][-1]
    kind = re.findall(r"(lamp|rope|soap) \d+", str(asked["content"]))[-1]
    own, shelf = next(((own, shelf) for own, of, shelf in RULE.findall(request.prompt) if of == kind), ("", UNKNOWN))
    if "tools" in request.body and request.messages[-1]["role"] == "user":
        call = {"name": "look_at", "arguments": json.dumps({"shelf": shelf})}
        said: dict[str, Any] = {
            "content": "Let me look.",
            "tool_calls": [{"id": "c1", "type": "function", "function": call}],
        }
    else:
        said = {"content": f"{shelf}\n\nUsed: [{own}]" if own and "Used: [id]" in request.prompt else shelf}
    choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": "stop"}
    whole = {"id": "c", "object": "chat.completion", "created": 0, "model": "clerk", "choices": [choice]}
    return Reply(raw=json.dumps(whole).encode())


def turn(request: ChatRequest, shelf: str) -> dict[str, Any]:
    """An agent's turn: it asks the tool for the shelf it thinks of, and ends."""
    done = "observation_0" in request.prompt
    name, arguments = ("finish", {}) if done else ("look_at", {"shelf": shelf})
    return {"next_thought": f"It may be on {shelf}.", "next_tool_name": name, "next_tool_args": json.dumps(arguments)}


def written(request: ChatRequest, said: dict[str, Any], otherwise: str) -> str:
    """The fields that are asked for, in the form they are asked for in; those nobody thought of say `otherwise`."""
    wanted = request.messages[-1]["content"].rpartition("Respond with")[2]
    if request.schema or "JSON object" in wanted:
        names = request.schema["properties"] if request.schema else re.findall(r"`(\w+)`", wanted)
        return json.dumps({name: said.get(name, otherwise) for name in names})
    fields = re.findall(r"\[\[ ## (\w+) ## \]\]", wanted)
    return "\n\n".join(f"[[ ## {name} ## ]]\n{said.get(name, otherwise)}" for name in fields)


def reflected(request: ChatRequest) -> str:
    kind = re.findall(r"(lamp|rope|soap) \d+", request.prompt)[-1]
    told = re.findall(r"(?:right answer is:|It is on) (\w+)", request.prompt)
    lesson = (
        {"section": "strategy", "content": f"Every {kind} stands on shelf {told[-1]}.", "confidence": 0.9}
        if told
        else None
    )
    tags = dict.fromkeys(request.schema["properties"].get("tags", {}).get("properties", {}), "helpful")  # type: ignore[index]
    return json.dumps({"tags": tags, "lessons": [lesson] if lesson else []})
