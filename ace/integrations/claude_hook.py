"""`ace claude hook`: a command that Claude Code runs at its events, with the event on stdin and our answer on stdout.

Law: a session never suffers. An answer comes within half a second of the command's start, imports and all, or is
empty; the exit code is 0; what went wrong stands on stderr (`claude --debug` shows it). Events that nobody waits for,
because `ace claude install` has them run in the background, are given longer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from threading import Thread
from typing import Any

AWAITED = "UserPromptSubmit"
PATIENCE_S, IN_BACKGROUND_S = 0.45, 30.0


def main(arguments: Sequence[str], began: float) -> None:
    """Answer the event on stdin; `began`: when the process did, by `time.monotonic`."""
    answer: dict[str, Any] = {}
    out, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints, our answer is the answer
    event = _event(sys.stdin.read())
    work = Thread(target=_work, args=(arguments, event, answer), daemon=True)
    work.start()
    seconds = _seconds(arguments, str(event.get("hook_event_name")))
    work.join(max(began + seconds - time.monotonic(), 0))
    if work.is_alive():
        print(f"ace: no answer within {seconds:g} s; the session goes on without.", file=sys.stderr)
    print(json.dumps(dict(answer)), file=out, flush=True)
    sys.stderr.flush()
    os._exit(0)  # whatever is still going on is not waited for


def _event(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(arguments: Sequence[str], event: str) -> float:
    """How long an answer may take. Options are read for good where it is not yet too late."""
    if event != AWAITED:
        return IN_BACKGROUND_S
    given = dict(pairwise(arguments)).get("--patience", "")
    return float(given) if given.replace(".", "", 1).isdigit() else PATIENCE_S


def _work(arguments: Sequence[str], event: dict[str, Any], answer: dict[str, Any]) -> None:
    """In a thread, imports too: a bug of ours ends it with a traceback on stderr, and nothing else."""
    from ace.errors import AceError
    from ace.integrations import claude_code

    try:
        answer.update(claude_code.respond(event, claude_code.asked(arguments)))
    except AceError as error:
        print(f"ace: {error}", file=sys.stderr)
