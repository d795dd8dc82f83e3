"""Claude Code: what its events are answered with, and what its transcripts teach. `claude_hook` is the command.

    UserPromptSubmit     the bullets that fit the prompt become context of the turn, and a receipt
    Stop, SessionEnd     the turn that ends is reported, as the session's transcript tells it

Nothing is remembered between events: the receipt is found again in the transcript, and a turn is one episode by its
prompt's id, whoever reports it: either event, or `ace claude learn` when a server was away. Secrets are cut out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ace import quick_settings
from ace.core.hiding import hide
from ace.core.prompting import LONGEST_TASK, framed, named
from ace.errors import Conflict, InvalidInput
from ace.integrations.claude_transcript import Turn, Used, turns
from ace.integrations.noting import LONGEST_ANSWER, LONGEST_STEP, MOST_STEPS, short, words
from ace.sdk.playbook import Playbook

URL = "http://127.0.0.1:8000"
LONGEST_BEFORE = 4000
"""Characters of the prompts before a turn that are reported with it."""

Json = dict[str, Any]


def asked(arguments: Sequence[str]) -> Playbook:
    """The playbook that the hook's options name. Raises InvalidInput."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--domain", "-d", default="default")
    parser.add_argument("--url", default=URL)
    parser.add_argument("--patience", type=float)
    try:
        given, more = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise InvalidInput("ace claude hook", str(error), "Write the hooks anew: ace claude install") from error
    if more:
        raise InvalidInput(more[0], "is not an option of `ace claude hook`", "Write the hooks anew: ace claude install")
    return Playbook(given.domain, url=given.url, key=quick_settings.server_key())


def respond(event: Mapping[str, Any], playbook: Playbook) -> Json:
    """What the event is answered with."""
    match event.get("hook_event_name"):
        case "UserPromptSubmit":
            return advise(str(event.get("prompt", "")), str(event.get("session_id", "")), playbook)
        case "Stop" | "SessionEnd":
            record(Path(str(event.get("transcript_path"))), event.get("prompt_id"), playbook)
    return {}


def advise(prompt: str, session: str, playbook: Playbook) -> Json:
    """The bullets that fit the prompt, for the model; nothing for a command typed with a slash."""
    if not prompt.strip() or prompt.startswith("/"):
        return {}
    context = playbook.context(short(prompt, LONGEST_TASK), session=session or None)
    told = f"<ace-receipt>{context.receipt}</ace-receipt>"
    if context.bullets:
        told = f"{framed(context.bullets)}\n{told}"
    return {"hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": told}}


def record(transcript: Path, prompt_id: str | None, playbook: Playbook) -> None:
    """Report the session's turn of this prompt, else the last."""
    found = read(transcript)
    wanted = [turn for turn in found if turn.id == prompt_id] or found[-1:]
    for turn in wanted:
        report(turn, playbook)


def read(transcript: Path) -> list[Turn]:
    """The turns of a session in which something was done. Raises InvalidInput for a file that cannot be read."""
    try:
        with transcript.open(encoding="utf-8", errors="replace") as lines:
            return [turn for turn in turns(lines) if turn.teaches]
    except OSError as error:
        raise InvalidInput(str(transcript), f"cannot be read: {error.strerror}", "Name a session's .jsonl") from error


def report(turn: Turn, playbook: Playbook) -> bool:
    """Report the turn; False when it had been reported before."""
    told = episode(turn)
    try:
        return playbook.report(turn.receipt, **told).new
    except Conflict:  # by a hook, before the next prompt was known
        return False
    except InvalidInput as error:
        if error.field != "receipt":
            raise
        return playbook.report(None, **told).new  # of another server: it teaches all the same


def episode(turn: Turn) -> Json:
    """The fields of the turn's report: nobody says yet whether it was right."""
    remarks = ["The user interrupted it."] if turn.interrupted else []
    if turn.following:
        remarks.append(f"The user went on: {_plain(turn.following, LONGEST_BEFORE)}")
    return {
        "episode_id": f"claude-{turn.id}",
        "task": _plain(turn.prompt, LONGEST_ANSWER),
        "context": _plain("\n\n".join(turn.earlier), LONGEST_BEFORE),
        "answer": _plain(turn.answer, LONGEST_ANSWER),
        "cited": named(turn.answer)[:100],
        "trace": [_step(one) for one in turn.used[:MOST_STEPS]],
        "detail": "\n".join(remarks),
        "latency_s": max(round(turn.ended - turn.began, 3), 0.0),
    }


def lines(found: Sequence[Turn]) -> Iterator[Json]:
    """The turns as lines of a file for `ace learn`."""
    for turn in found:
        told = episode(turn)
        detail = told.pop("detail")
        yield {**told, "outcome": {"correct": None, "detail": detail}}


def _step(used: Used) -> dict[str, str]:
    said = "(no answer)" if used.said is None else used.said
    observation = f"Error: {said}" if used.failed else said
    texts = {"thought": used.thought, "arguments": words(used.arguments), "observation": observation}
    return {"tool": used.tool, **{name: _plain(text, LONGEST_STEP) for name, text in texts.items()}}


def _plain(text: str, limit: int) -> str:
    """Short enough to be reported, and without secrets; of a huge text only what is near its ends is looked at."""
    return short(hide(short(text, 2 * limit)), limit).replace("\0", "")
