"""Which of a model's lessons may enter a playbook at all. A lesson is refused, with the first reason that holds:

    too short        fewer than 3 words or 15 characters: "Be careful."
    too long         more than 1,200 characters: an essay is no bullet
    restates         nine tenths or more of its words are the task's: nothing was learned
    gives orders     it speaks to the model that will read it ("ignore previous instructions …") instead of about tasks

The last one catches the crude and the accidental only; what holds against a poisoner is that lessons start in SHADOW.
"""

from __future__ import annotations

import re

from ace.models.task import Task

MIN_WORDS, MIN_CHARS, MAX_CHARS = 3, 15, 1200
RESTATED = 0.9  # share of the lesson's words that are the task's own
_ORDERS = re.compile(
    r"\b(ignore|disregard|forget|override)\b.{0,30}\b(previous|prior|above|earlier|all|other|system)\b"
    r"|\bsystem prompt\b|\byou are now\b|\bas an ai\b|</?(system|assistant|user|im_start|im_end)\b|<\|",
    re.IGNORECASE | re.DOTALL,
)
_WORD = re.compile(r"\w+")


def refusal(content: str, task: Task) -> str | None:
    """Why this lesson is not taken, or None when it may be."""
    words = _words(content)
    if len(content) > MAX_CHARS:
        return "too long"
    if _ORDERS.search(content):
        return "gives orders"
    if len(words) < MIN_WORDS or len(content.strip()) < MIN_CHARS:
        return "too short"
    own = set(_words(f"{task.question} {task.context}"))
    return "restates" if sum(word in own for word in words) >= RESTATED * len(words) else None


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
