"""`ace serve` as an operator runs it: a process group of its own, on a free port of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

START_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A running server; `ask` sends one request and returns the response, whatever its status."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], environment: dict[str, str], log: Path) -> None:
        self.url, self.process, self.environment, self.log = url, process, environment, log
        self._client = httpx.Client(base_url=url, timeout=30)

    def ask(self, method: str, path: str, *, key: str | None = None, **request: Any) -> httpx.Response:
        headers = request.pop("headers", {})
        if key is not None:
            headers = {**headers, "Authorization": f"Bearer {key}"}
        return self._client.request(method, path, headers=headers, **request)

    def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> httpx.Response:
        return self.ask("POST", path, key=key, json=body, headers=headers)

    def run(self, *words: str) -> str:
        """What a Python command prints that runs beside the server, with its settings."""
        command = [sys.executable, *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def ace(self, *words: str) -> str:
        return self.run("-m", "ace", *words)

    def workers(self) -> list[psutil.Process]:
        """The processes that answer requests."""
        return [child for child in psutil.Process(self.process.pid).children() if _answers(child)]


def _answers(child: psutil.Process) -> bool:
    try:
        return child.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in " ".join(child.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


SHOWN_TO_ALL = {"ACE_CANARY": "0", "ACE_DROPOUT": "0", "ACE_HOLDOUT": "0"}
"""No lots are drawn, so that a test knows what it is shown."""


@contextmanager
def serving(home: Path, *options: str, python: str = "", **settings: str) -> Iterator[Server]:
    """A server over `home`'s data; it is stopped, and its children with it, when the context ends."""
    port = free_port()
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ACE_")}
    environment = {**inherited, "ACE_DATA_DIR": str(home / "data"), "ACE_ENV": "shadow", **SHOWN_TO_ALL, **settings}
    log = home / f"server-{port}.log"
    command = [sys.executable, *python.split(), "-m", "ace", "serve", "--port", str(port), *options]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    server = Server(f"http://127.0.0.1:{port}", process, environment, log)
    try:
        wait_until(lambda: _alive(server), START_S, lambda: log.read_text())
        yield server
    finally:
        stop(process)


def wait_until(holds: Any, seconds: float, otherwise: Any = lambda: "") -> None:
    """Fails with `otherwise()` unless `holds()` becomes true within these seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.05)


def stop(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM, and SIGKILL for the whole group should that not do; the exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait(10)


def _alive(server: Server) -> bool:
    assert server.process.poll() is None, server.log.read_text()
    try:
        return server.ask("GET", "/livez").status_code == 200
    except httpx.TransportError:
        return False
