"""Bullets in a chat's messages as Python values: where they go, and what stays as it was. (As bytes: `prompting`.)

behind_system    at the end of the system prompt, behind what a prompt cache knows; without one, in front
before_task      in front of the last user message: everything before it stays the same

Nothing that is given is changed; what a prompt cache is told by `cache_control` stays with the words it was said of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


def behind_system(messages: Sequence[Json], bullets: str) -> list[Json]:
    """At the end of the system prompt, which may be several messages; without one, in front."""
    leading = next((at for at, one in enumerate(messages) if one["role"] not in ("system", "developer")), len(messages))
    if not leading:
        return [{"role": "system", "content": bullets}, *messages]
    last = messages[leading - 1]
    return [*messages[: leading - 1], _longer(last, bullets), *messages[leading:]]


def _longer(message: Json, bullets: str) -> Json:
    """The message with the bullets behind what it says; a marker of the whole message stays with its own words."""
    content = message["content"]
    if isinstance(content, str) and "cache_control" not in message:
        return {**message, "content": f"{content}\n\n{bullets}"}
    own = [dict(block) for block in blocks(content)]
    if "cache_control" in message:
        own[-1]["cache_control"] = message["cache_control"]
    rest = {name: value for name, value in message.items() if name != "cache_control"}
    return {**rest, "content": [*own, block(bullets)]}


def before_task(messages: Sequence[Json], bullets: str) -> list[Json]:
    """In front of the last user message."""
    last = max(at for at, one in enumerate(messages) if one["role"] == "user")
    task = {**messages[last], "content": [block(bullets), *blocks(messages[last]["content"])]}
    return [*messages[:last], task, *messages[last + 1 :]]


def blocks(content: Any) -> list[Json]:
    """Content as blocks, whichever way it was written."""
    return [block(content)] if isinstance(content, str) else list(content)


def block(text: str) -> Json:
    """A text as a block."""
    return {"type": "text", "text": text}
