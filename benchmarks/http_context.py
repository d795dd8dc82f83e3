"""`POST /v1/domains/{d}/context` under load, beside the same work without HTTP, and beside Chroma's server.

`python -m benchmarks.http_context [SIZES…]`, one line of JSON a case:

    ace       the server as `ace serve --workers 2` starts it: key check, search, ranking, signed receipt, metrics
    inside    the same in one thread of one process, without HTTP and without the key check
    chroma    `chroma run`: query with a ready vector, 10 results with their texts; skipped where there is no `chroma`

`cold` means that no text was asked before, so each is embedded (25 word pieces, MiniLM, one thread a request);
`cached` that the texts' vectors are remembered. Each case runs for SECONDS after a warm-up of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.corpus import task_queries
from benchmarks.load import load
from benchmarks.retrieval import prepare
from benchmarks.world import DOMAIN, HOME, MODELS, texts, vectors
from tests.e2e.servers import Server, free_port, serving, stop, wait_until

K, SECONDS, CLIENTS = 10, 8, (1, 8)
KNOWN, UNKNOWN = 200, 30_000  # texts asked again and again, and texts asked once


def measure(n: int) -> Iterator[dict[str, Any]]:
    """The cases of the head of this file, for a playbook of `n` bullets."""
    with TemporaryDirectory() as name:
        home = Path(name)
        _bodies(home)
        _copy(n, home / "data")
        yield {"case": "inside", "embedding": "cached", "clients": 1, **_inside(home / "data")}
        with serving(home, "--workers", "2", ACE_MODELS_DIR=str(MODELS.resolve())) as server:
            yield from _served(server, home)
        if shutil.which("chroma"):
            yield from _chroma(n, home)
        else:
            print("chroma: no such command here, not compared (pip install chromadb)", file=sys.stderr)


def _served(server: Server, home: Path) -> Iterator[dict[str, Any]]:
    url = f"{server.url}/v1/domains/{DOMAIN}/context"
    load(url, clients=8, seconds=3, bodies=home / "known")
    for embedding, bodies in (("cached", "known"), ("cold", "unknown")):
        for clients in CLIENTS:
            found = load(url, clients=clients, seconds=SECONDS, bodies=_fresh(home, bodies))
            yield {"case": "ace", "embedding": embedding, "clients": clients, **found}


def _fresh(home: Path, bodies: str) -> Path:
    """The file of bodies; of texts asked once, a part not used before."""
    file = home / bodies
    if bodies == "unknown":
        lines = file.read_text().splitlines()
        (home / "part").write_text("\n".join(lines[: len(lines) // 2]) + "\n")
        file.write_text("\n".join(lines[len(lines) // 2 :]) + "\n")
        return home / "part"
    return file


def _bodies(home: Path) -> None:
    queries = task_queries(KNOWN)
    known = [json.dumps({"task": text, "k": K}) for text in queries]
    unknown = [json.dumps({"task": f"{queries[i % KNOWN]} ({i})", "k": K}) for i in range(UNKNOWN)]
    (home / "known").write_text("\n".join(known) + "\n")
    (home / "unknown").write_text("\n".join(unknown) + "\n")


def _copy(n: int, data: Path) -> None:
    prepare(n)
    data.mkdir()
    shutil.copy(HOME / f"playbook-{n}.db", data / "ace.db")
    shutil.copytree(HOME / f"indices-{n}", data / "indices")


def _inside(data: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.http_context", "--inside"]
    environment = {
        **os.environ,
        "ACE_DATA_DIR": str(data),
        "ACE_ENV": "shadow",
        "ACE_MODELS_DIR": str(MODELS.resolve()),
    }
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def inside() -> dict[str, float]:
    """Context after context in this process, for SECONDS."""
    from ace.bootstrap import App
    from ace.models.access import Principal
    from ace.web.context import context
    from ace.web.schemas import ContextRequest

    app, work, caller = App(), context.__wrapped__, Principal()  # type: ignore[attr-defined]
    bodies = [json.dumps({"task": text, "k": K}) for text in task_queries(KNOWN)]
    taken: list[float] = []
    with app.observed("benchmark"):
        for body in bodies:
            work(domain=DOMAIN, body=ContextRequest.model_validate_json(body), caller=caller, app=app)
        begin = time.perf_counter()
        while (start := time.perf_counter()) < begin + SECONDS:
            body = bodies[len(taken) % KNOWN]
            work(domain=DOMAIN, body=ContextRequest.model_validate_json(body), caller=caller, app=app)
            taken.append(time.perf_counter() - start)
    cuts = [1000 * cut for cut in quantiles(taken, n=100)]
    return {"qps": len(taken) / SECONDS, "p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98]}


def _chroma(n: int, home: Path) -> Iterator[dict[str, Any]]:
    from ace.utils.embeddings import LocalEmbedder

    rows = LocalEmbedder(MODELS).embed(task_queries(KNOWN)).round(6).tolist()
    wanted = [
        json.dumps({"query_embeddings": [row], "n_results": K, "include": ["documents", "distances"]}) for row in rows
    ]
    (home / "vectors").write_text("\n".join(wanted) + "\n")
    with ExitStack() as stack:
        url = f"{stack.enter_context(_chroma_server(home))}/api/v2/tenants/default_tenant/databases/default_database"
        own = _fill(f"{url}/collections", n)
        load(own, clients=8, seconds=2, bodies=home / "vectors")
        for clients in CLIENTS:
            found = load(own, clients=clients, seconds=SECONDS, bodies=home / "vectors")
            yield {"case": "chroma", "embedding": "given", "clients": clients, **found}


@contextmanager
def _chroma_server(home: Path) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["chroma", "run", "--path", str(home / "chroma"), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/api/v2/heartbeat").is_success
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, 60)
        yield url
    finally:
        stop(process)


def _fill(collections: str, n: int, page: int = 1000) -> str:
    """A collection of the first `n` bullets, by cosine; the address that answers queries."""
    space = {"hnsw": {"space": "cosine"}}
    with httpx.Client(timeout=120) as client:
        made = client.post(collections, json={"name": DOMAIN, "configuration": space}).raise_for_status().json()
        contents, rows = texts(n), vectors(n)
        for start in range(0, n, page):
            part = slice(start, start + page)
            body = {"ids": [str(i) for i in range(start, min(n, start + page))], "documents": contents[part],
                    "embeddings": rows[part].round(6).tolist()}  # fmt: skip
            client.post(f"{collections}/{made['id']}/add", json=body).raise_for_status()
    return f"{collections}/{made['id']}/query"


if __name__ == "__main__":
    if sys.argv[1:] == ["--inside"]:
        print(json.dumps(inside()))
    else:
        for size in map(int, sys.argv[1:] or ("1000", "10000", "100000")):
            for case in measure(size):
                rounded = {key: round(value, 2) if isinstance(value, float) else value for key, value in case.items()}
                print(json.dumps({"bullets": size, **rounded}), flush=True)
