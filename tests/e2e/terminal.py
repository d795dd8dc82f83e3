"""A person at a terminal: a process on a pseudo terminal, and answers typed when they are asked for."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE_S = 120.0


def typed(
    words: Sequence[str], answers: Sequence[tuple[str, str]], *, env: Mapping[str, str], cwd: Path | None = None,
    code: int = 0,
) -> str:  # fmt: skip
    """What `python -m ace` with these words prints to a person who gives each answer once its question has appeared."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "ace", *words], env=env, cwd=cwd,
                               stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)  # fmt: skip
    os.close(theirs)
    seen, read, left, end = "", 0, list(answers), time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if not select.select([ours], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            seen += os.read(ours, 4096).decode(errors="replace")
        except OSError:  # the other side is closed
            break
        if left and left[0][0] in seen[read:]:
            question, answer = left.pop(0)
            read = seen.index(question, read) + len(question)
            os.write(ours, f"{answer}\n".encode())
    assert process.wait(30) == code, seen
    os.close(ours)
    assert not left, f"never asked {left[0][0]!r}:\n{seen}"
    return seen
