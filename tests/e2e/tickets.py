"""A model server that knows which desk takes a device once its prompt says so, and nothing otherwise.

What it reflects names the device's desk where the verdict gave it the right answer, and no desk where it did not.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ace.testing.llm import ChatRequest, Reply, say

FILE = Path(__file__).parents[2] / "ace" / "data" / "bench" / "tickets.jsonl"
DEVICE = re.compile(r"The (\w+) ([\w-]+ \w+) ")
DESKS = ("attic desk", "harbour desk", "mill desk", "north desk", "river desk", "south desk")
NOBODY = "lobby"
SLOW_S = 0.01


def porter(request: ChatRequest) -> Reply:
    asked = request.messages[-1]["content"]
    if is_reflection(request):
        return say(json.dumps({"tags": {}, "lessons": lessons(asked)}))
    before, _, question = asked.rpartition("Question: ")
    name, _ = DEVICE.findall(question)[0]
    told = [desk for line in before.splitlines() if name in line for desk in DESKS if desk in line]
    answer = {"reasoning": "as it stands here", "answer": told[0] if told else NOBODY, "cited": []}
    return say(json.dumps(answer), delay_s=SLOW_S)


def lessons(asked: str) -> list[dict[str, Any]]:
    name, device = DEVICE.findall(asked)[0]
    desk = re.search(r"The right answer is: ([\w ]+)", asked)
    content = f"The {name} {device} is for the {desk[1]}." if desk else f"The {name} {device} wants a careful look."
    return [{"section": "example", "content": content, "confidence": 0.9}]


def is_reflection(request: ChatRequest) -> bool:
    return "lessons" in (request.schema or {}).get("properties", {})
