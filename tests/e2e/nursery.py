"""A process that has imported what `ace` imports, and forks for every command: the same command, without the wait.

The child gets its own arguments, environment, folder and output files before the first line of `ace` runs, and ends as
an interpreter ends. Tests that kill a command, or look at how it starts, start one for themselves.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE_S = 240
IMPORTED = (
    "ace.cli", "ace.bootstrap", "ace.repositories.playbook_repository", "ace.repositories.episode_repository",
    "ace.repositories.review_repository", "ace.repositories.release_repository", "ace.repositories.key_repository",
    "ace.curator.semantic_curator", "ace.services.retrieval", "ace.services.verification", "ace.utils.faiss_index",
    "ace.utils.metered", "ace.utils.metrics", "ace.utils.logs", "rich.table", "rich.progress",
    "ace.utils.llm_metered", "ace.generator.prompts", "ace.reflector.prompts", "ace.utils.minilm",
)  # fmt: skip


class Nursery:
    """The process, seen from outside."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "tests.e2e.nursery", str(theirs.fileno())]
        self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self._ours.settimeout(PATIENCE_S)
        atexit.register(self._ours.close)  # the process ends when nobody asks any more

    def run(self, *words: str, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """`ace WORDS` in this folder, with this environment and nothing to read."""
        with TemporaryFile() as out, TemporaryFile() as err:
            asked = json.dumps({"words": words, "cwd": str(cwd), "env": dict(env)}).encode()
            self._ours.sendall(len(asked).to_bytes(8))
            socket.send_fds(self._ours, [asked[:1]], [out.fileno(), err.fileno()])
            self._ours.sendall(asked[1:])
            code = int.from_bytes(_exactly(self._ours, 8), signed=True)
            told = []
            for file in (out, err):
                file.seek(0)
                told.append(file.read().decode())
        return subprocess.CompletedProcess(words, code, told[0], told[1])


@lru_cache(maxsize=1)
def nursery() -> Nursery:
    """The one of this test process."""
    return Nursery()


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = connection.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def serve(connection: socket.socket) -> None:
    """Fork for every command asked for, one after the other, until the other side is gone."""
    for name in IMPORTED:
        importlib.import_module(name)
    while True:
        try:
            size = int.from_bytes(_exactly(connection, 8))
        except EOFError:
            return None
        first, files, _, _ = socket.recv_fds(connection, 1, 2)
        asked = json.loads(first + _exactly(connection, size - 1))
        child = os.fork()
        if child == 0:
            connection.close()
            return _command(asked, *files)
        for file in files:
            os.close(file)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(code.to_bytes(8, signed=True))


def _command(asked: dict[str, Any], out: int, err: int) -> None:
    """`python -m ace`; how it ends is how this process ends."""
    for file, known in ((out, 1), (err, 2)):
        os.dup2(file, known)
        os.close(file)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["ace", *asked["words"]]
    runpy.run_module("ace", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
