"""What an agent waits for `get_context`: `python -m benchmarks.mcp [BULLETS] [ROUNDS]`, one line of JSON.

One client asks in turn, over connections that are kept: `ace mcp` by a pipe (`stdio`), `/mcp` of a server (`http`),
and the same server's `POST /v1/domains/{domain}/context` without MCP (`plain`). Every task was embedded before. The
library's own client is part of the figures; `ping_…` is the same way with nothing to do at its end. `cpu_ms` is what a
call costs the process that answers, and does not follow what else the machine does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.corpus import task_queries
from benchmarks.http_context import _copy
from benchmarks.world import DOMAIN, MODELS
from tests.e2e.servers import SHOWN_TO_ALL, Server, serving
from tests.e2e.talks import Talk, over_http, over_stdio

ROUNDS, WARM, KNOWN, K = 300, 30, 50, 5
Ask = Callable[[str], object]


class Way:
    """One way to ask, who answers, and how long each answer took."""

    def __init__(self, ask: Ask, answering: psutil.Process) -> None:
        self._ask, self._answering = ask, answering
        self.taken: list[float] = []

    def ask(self, task: str) -> None:
        started = time.perf_counter()
        self._ask(task)
        self.taken.append(1000 * (time.perf_counter() - started))

    def cost(self, tasks: list[str]) -> float:
        """Milliseconds of CPU for one call, on average."""
        before = self._used()
        for task in tasks:
            self._ask(task)
        return 1000 * (self._used() - before) / len(tasks)

    def _used(self) -> float:
        times = self._answering.cpu_times()
        return float(times.user + times.system)


def measure(bullets: int, rounds: int) -> dict[str, Any]:
    """The figures, over a playbook of so many bullets."""
    queries = task_queries(KNOWN)
    with TemporaryDirectory() as name, _ways(Path(name), bullets) as ways:
        for number in range(KNOWN + WARM + rounds):
            for way in ways.values():
                way.ask(queries[number % KNOWN])
        costs = {name: round(way.cost(queries * 6), 1) for name, way in ways.items()}
    cuts = {name: quantiles(way.taken[KNOWN + WARM :], n=100) for name, way in ways.items()}
    figures = {f"p{q}_ms": {name: round(cut[q - 1], 1) for name, cut in cuts.items()} for q in (50, 95)}
    return {"bullets": bullets, "k": K, "rounds": rounds, **figures, "cpu_ms": costs}


@contextmanager
def _ways(home: Path, bullets: int) -> Iterator[dict[str, Way]]:
    _copy(bullets, home / "data")
    settings = {"ACE_MODELS_DIR": str(MODELS.resolve()), "ACE_K": str(K), "ACE_ENV": "shadow", **SHOWN_TO_ALL}
    environment = {**os.environ, "ACE_DATA_DIR": str(home / "data"), **settings}
    with (
        serving(home, **settings) as server,
        over_http(f"{server.url}/mcp?domain={DOMAIN}") as http,
        over_stdio("-d", DOMAIN, environment=environment, log=home / "stdio.log") as stdio,
    ):
        (worker,) = server.workers()
        (piped,) = (one for one in psutil.Process().children() if "mcp" in one.cmdline())
        yield {
            "plain": Way(_plain(server), worker),
            "stdio": Way(lambda task: stdio.told("get_context", task=task), piped),
            "http": Way(lambda task: http.told("get_context", task=task), worker),
            "ping_stdio": Way(_ping(stdio), piped),
            "ping_http": Way(_ping(http), worker),
        }


def _plain(server: Server) -> Ask:
    return lambda task: server.post(f"/v1/domains/{DOMAIN}/context", {"task": task}).raise_for_status()


def _ping(talk: Talk) -> Ask:
    return lambda _: talk.wait(talk.client.list_prompts)


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    print(json.dumps(measure(*(given + [1000, ROUNDS][len(given) :]))))
