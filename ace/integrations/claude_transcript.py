"""A session of Claude Code as it writes it down itself, read as turns: a prompt, what was done, what was answered.

One JSON object a line, in ~/.claude/projects/<folder>/<session>.jsonl; of the main thread alone these matter:

    user         message.content a text, or blocks of text       a prompt; promptId tells turns apart
    user         message.content with tool_result blocks         what a tool said; is_error
    assistant    message.content: text, tool_use                 a line for each block
    attachment   hook_additional_context                         what our hook added, its receipt among it

Everything else is passed over: sidechains (isSidechain), what the program tells itself (isMeta, summaries), commands
typed with a slash, and what hooks added, which is no evidence of anything. A torn last line ends the reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]
_WORTH_READING = re.compile(r'"type": ?"(?:user|assistant|hook_additional_context)"')
INTERRUPTED = "[Request interrupted by user"
_NOT_A_PROMPT = re.compile(r"<(?:command-|local-command-|bash-|task-notification)[\w-]*>|" + re.escape(INTERRUPTED))
_PASSED_OVER = ("isSidechain", "isMeta", "isCompactSummary", "isApiErrorMessage")
_RECEIPT = re.compile(r"<ace-receipt>([\w-]+\.[\w-]+)</ace-receipt>")


@dataclass(kw_only=True, slots=True)
class Used:
    """A tool's call; `said` is None while it has not answered."""

    id: str
    tool: str
    arguments: Mapping[str, Any]
    thought: str = ""
    said: str | None = None
    failed: bool = False


@dataclass(kw_only=True, slots=True)
class Turn:
    """A prompt and all that came of it. `earlier` are the prompts before it, `following` is the next one."""

    id: str
    session: str
    prompt: str
    began: float
    ended: float
    earlier: tuple[str, ...] = ()
    following: str = ""
    answer: str = ""
    receipt: str | None = None
    interrupted: bool = False
    used: list[Used] = field(default_factory=list)
    _thought: str = ""

    @property
    def teaches(self) -> bool:
        """Was anything done or answered?"""
        return bool(self.answer or self.used)

    def take(self, line: Line) -> None:
        """Add what the line tells."""
        self.ended = max(self.ended, _time(line))
        if line["type"] == "attachment":
            found = _RECEIPT.search("\n".join(map(str, line["attachment"].get("content") or ())))
            self.receipt = found[1] if found else self.receipt
        for block in _blocks(line):
            self._assistant(block) if line["type"] == "assistant" else self._user(block)

    def _assistant(self, block: Mapping[str, Any]) -> None:
        if block.get("type") == "text":
            self.answer = self._thought = str(block["text"])
        elif block.get("type") == "tool_use":
            call = Used(id=block["id"], tool=block["name"], arguments=block["input"], thought=self._thought)
            self.used.append(call)
            self._thought = ""

    def _user(self, block: Mapping[str, Any]) -> None:
        if block.get("type") == "tool_result":
            self._answered(block)
        elif str(block.get("text", "")).startswith(INTERRUPTED):
            self.interrupted = True

    def _answered(self, block: Mapping[str, Any]) -> None:
        for call in self.used:
            if call.id == block.get("tool_use_id"):
                call.said, call.failed = _text(block.get("content")), bool(block.get("is_error"))


def turns(lines: Iterable[str]) -> list[Turn]:
    """The session's turns, in their order."""
    found: list[Turn] = []
    for line in _read(lines):
        if prompt := _prompt(line):
            own = str(line.get("promptId") or line["uuid"])
            earlier = tuple(one.prompt for one in found)
            if found:
                found[-1].following = prompt
            found.append(Turn(id=own, session=str(line.get("sessionId")), prompt=prompt, began=_time(line),
                              ended=_time(line), earlier=earlier))  # fmt: skip
        elif found:
            found[-1].take(line)
    return found


def transcripts(places: Iterable[Path]) -> list[Path]:
    """The transcripts at these places: files as they are, folders with all that is in them."""
    files = [[one] if one.is_file() else sorted(one.rglob("*.jsonl")) for one in places]
    return list(dict.fromkeys(file for group in files for file in group))


def _read(lines: Iterable[str]) -> Iterator[Line]:
    for text in lines:
        if not _WORTH_READING.search(text):
            continue
        try:
            line = json.loads(text)
        except ValueError:
            return
        kinds = ("user", "assistant", "attachment")
        if line.get("type") in kinds and not any(line.get(mark) for mark in _PASSED_OVER):
            yield line


def _prompt(line: Line) -> str:
    """What the user asks for with this line; empty when it is something else."""
    if line["type"] != "user" or any(block.get("type") == "tool_result" for block in _blocks(line)):
        return ""
    text = _text(line.get("message", {}).get("content")).strip()
    return "" if _NOT_A_PROMPT.match(text) else text


def _blocks(line: Line) -> list[Mapping[str, Any]]:
    content = line.get("message", {}).get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("type") == "text")


def _time(line: Line) -> float:
    return datetime.fromisoformat(str(line.get("timestamp", "1970-01-01T00:00:00Z"))).timestamp()
