"""What the drop-in proxy adds to a model request: `python -m benchmarks.proxy [BULLETS]`, one line of JSON.

One client asks in turn: the provider straight, the proxy with a text it has embedded before (`known`), the proxy with a
new one (`new`: with embedding). `added_ms` is the difference of the medians (and of the 95th percentiles), `ratio` that
to going straight. The provider is a small server beside it that answers at once; a real one takes a second.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from ace.testing.providers import FakeProvider
from benchmarks.corpus import task_queries
from benchmarks.http_context import _copy
from benchmarks.world import DOMAIN, MODELS
from tests.e2e.servers import serving

ROUNDS, WARM, KNOWN, K = 600, 60, 100, 5
SYSTEM = {"role": "system", "content": "You are a careful accountant. " * 20}


class Way:
    """A connection that is kept, and how long each answer took over it."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(place.hostname), place.port or 80, timeout=30)
        self._path = f"{place.path}/chat/completions"
        self.taken: list[float] = []

    def ask(self, task: str, bullets: bool) -> None:
        body = json.dumps({"model": "m", "messages": [SYSTEM, {"role": "user", "content": task}]})
        started = time.perf_counter()
        self._connection.request("POST", self._path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        answer.read()
        self.taken.append(1000 * (time.perf_counter() - started))
        assert answer.status == 200 and (answer.headers.get("ACE-Bullets") is not None) == bullets, answer.headers
        assert answer.headers.get("ACE-Skipped") is None, answer.headers


@contextmanager
def provider() -> Iterator[str]:
    """A provider in a process of its own: the address of its /v1."""
    command = [sys.executable, "-m", "benchmarks.proxy", "--provider"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def measure(bullets: int) -> dict[str, Any]:
    """The figures, over a playbook of so many bullets."""
    queries = task_queries(KNOWN)
    with TemporaryDirectory() as name, provider() as straight:
        home = Path(name)
        _copy(bullets, home / "data")
        settings = {"ACE_MODELS_DIR": str(MODELS.resolve()), "ACE_UPSTREAM_OPENAI_URL": straight, "ACE_K": str(K),
                    "ACE_PROXY_PATIENCE_S": "30"}  # fmt: skip
        with serving(home, **settings) as server:
            through = f"{server.url}/proxy/{DOMAIN}/v1"
            ways = {"straight": Way(straight), "known": Way(through), "new": Way(through)}
            for number in range(-WARM - KNOWN, ROUNDS):
                known = queries[number % KNOWN]
                for kind, way in ways.items():
                    way.ask(f"{known} ({number})" if kind == "new" else known, kind != "straight")
    cuts = {kind: quantiles(way.taken[WARM + KNOWN :], n=100) for kind, way in ways.items()}
    return {"bullets": bullets, "k": K, "rounds": ROUNDS, **figures(cuts)}


def figures(cuts: dict[str, list[float]]) -> dict[str, Any]:
    """P50 and P95 of each way, and what the proxy adds."""
    told: dict[str, Any] = {}
    for quantile in (50, 95):
        straight, known, new = (cuts[kind][quantile - 1] for kind in ("straight", "known", "new"))
        told[f"p{quantile}_ms"] = {"straight": round(straight, 2), "known": round(known, 2), "new": round(new, 2)}
        added, whole = known - straight, new - straight
        told[f"p{quantile}_added_ms"] = {"beside_embedding": round(added, 2), "with_embedding": round(whole, 2)}
        told[f"p{quantile}_ratio"] = round(known / straight, 2)
    return told


def provide() -> None:
    """Answer until the parent closes our input."""
    with FakeProvider() as made:
        print(made.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1:] == ["--provider"]:
        provide()
    else:
        print(json.dumps(measure(int(sys.argv[1]) if sys.argv[1:] else 1000)))
