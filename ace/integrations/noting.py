"""What an agent library tells of a run, in the words of an episode: every text short enough to be reported."""

from __future__ import annotations

import json
from typing import Any

from ace.core.prompting import cited, framed
from ace.sdk.episode import Notes

LONGEST_ANSWER, LONGEST_STEP, MOST_STEPS = 100_000, 20_000, 1000
"""Characters of an answer and of a step's parts; of a longer text its beginning and its end. Steps after the last
are not noted."""


def advice(episode: Notes, own: str = "") -> str:
    """The agent's own instructions, and the bullets the episode was given behind them."""
    if not episode.context.bullets:
        return own
    bullets = framed(episode.context.bullets)
    return f"{own}\n\n{bullets}" if own else bullets


def answered(episode: Notes, output: Any) -> None:
    """Note the answer, and which of its bullets it names."""
    text = words(output)
    episode.answer(short(text, LONGEST_ANSWER), cited=cited(episode.context.bullets, text))


def used(episode: Notes, tool: str, arguments: Any, observation: Any, *, thought: str = "") -> None:
    """Note a tool's call and what it said."""
    if len(episode.steps) < MOST_STEPS:
        given = {"thought": thought, "arguments": words(arguments), "observation": words(observation)}
        episode.step(tool=tool, **{name: short(text, LONGEST_STEP) for name, text in given.items()})


def words(value: Any) -> str:
    """A value as text: JSON, where it is not text already."""
    if value is None or isinstance(value, str):
        return value or ""
    if callable(dump := getattr(value, "model_dump_json", None)):
        return str(dump())
    return json.dumps(value, ensure_ascii=False, default=str)


def short(text: str, limit: int) -> str:
    """The text, or its beginning and its end."""
    half = limit // 2 - 3
    return text if len(text) <= limit else f"{text[:half]}\n…\n{text[-half:]}"
