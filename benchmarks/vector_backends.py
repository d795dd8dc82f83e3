"""FAISS beside pgvector, over one Postgres, in one run. `python -m benchmarks.vector_backends [SIZES…]`, a line of JSON
a size and backend:

    p50_ms, p95_ms    `index.nearest`, one vector, k = 10, every stage: the head asked, the bullets read
    prod_p50_ms       the same, for the hundredth part of the bullets that is in PROD
    recall, prod_…    of the 10 nearest, against comparing with every vector, over 300 queries
    cpu_ms, db_cpu_ms processor time of one such search, here and in Postgres; a busy machine does not change it
    eight_qps         eight threads that search, for SECONDS
    write_p50_ms      a bullet added in a transaction of its own, and found by the next search
    ready_s           from the vectors in the database to an index: FAISS's view, pgvector's table; graph_s: its graph
    mb                memory FAISS takes in each process; what pgvector takes in the database, graph and all

`writes`: bullets added a second, one a transaction, durable, pgvector's table kept, by one writer and by eight, each in
a domain of its own; and the processor time of a write.

The playbook is real strategy text, embedded for real; all its bullets are in the store before either begins.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from ace.core.ports import VectorIndex, Vectors
from ace.models.plan import Add, Operation, Promote
from ace.models.playbook import PlaybookStage
from ace.repositories import pgvector_tables, schema
from ace.repositories.database import Database
from ace.repositories.pgvector_index import EXACT_UNTIL, PgVectorIndex
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.statements import statement
from ace.utils.clock import SystemClock
from ace.utils.embeddings import LocalEmbedder
from ace.utils.faiss_index import FaissManager
from benchmarks.corpus import task_queries
from benchmarks.postgres import server
from benchmarks.world import DOMAIN, MODELS, bullet_of, fill, texts, timed, vectors

K, RUNS, WRITES, SECONDS, RARE, PER_WRITER = 10, 300, 40, 4, 100, 200
PROD = {PlaybookStage.PROD}
SAME = 1e-3  # cosines nearer to each other than this are one


def measure(n: int, url: str, folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of one size."""
    database = Database(url)
    schema.upgrade(database)
    store = PlaybookRepository(database)
    fill(store, 0, n)
    _promote(store, n)
    queries = LocalEmbedder(MODELS).embed(task_queries(RUNS))

    manager = FaissManager(store, folder)
    ready = _seconds(lambda: manager.load(DOMAIN))
    memory = manager.loaded()[DOMAIN] / 2**20
    yield {"bullets": n, "backend": "faiss", **_searched(database, manager, queries, n), "ready_s": ready, "mb": memory,
           "write_p50_ms": _writes(store, manager, n, 0)}  # fmt: skip
    manager.close()

    ready = _seconds(lambda: pgvector_tables.make(database))
    index = PgVectorIndex(database)

    def by_pgvector(name: str, offset: int) -> dict[str, Any]:
        return {"bullets": n, "backend": name, **_searched(database, index, queries, n),
                "mb": index.nbytes(DOMAIN) / 2**20, "write_p50_ms": _writes(store, index, n, offset)}  # fmt: skip

    yield by_pgvector("pgvector, one by one", WRITES + 3) | {"ready_s": ready}
    if n > EXACT_UNTIL:
        graph = _seconds(lambda: index.tend(DOMAIN))
        yield by_pgvector("pgvector, graph", 2 * WRITES + 6) | {"graph_s": graph}
    database.close()


def _searched(database: Database, index: VectorIndex, queries: Vectors, n: int) -> dict[str, float]:
    everything = vectors(n)
    every = timed(lambda i: index.nearest(DOMAIN, queries[i % RUNS, None], k=K), RUNS)
    rare = timed(lambda i: index.nearest(DOMAIN, queries[i % RUNS, None], k=K, stages=PROD), RUNS)
    own, theirs = _processor_time(database, lambda i: index.nearest(DOMAIN, queries[i % RUNS, None], k=K))
    return {"p50_ms": every.p50, "p95_ms": every.p95, "prod_p50_ms": rare.p50, "cpu_ms": own, "db_cpu_ms": theirs,
            "recall": _recall(index, queries, everything, None), "eight_qps": _crowd(index, queries),
            "prod_recall": _recall(index, queries, everything[::RARE], PROD)}  # fmt: skip


def _processor_time(database: Database, work: Callable[[int], object], runs: int = RUNS) -> tuple[float, float]:
    """Milliseconds of one run: of this process, of Postgres."""
    pid = database.rows(statement("SELECT pg_backend_pid()"))[0][0]
    postmaster = psutil.Process(pid).parent()

    def theirs() -> float:
        assert postmaster is not None
        return sum(sum(one.cpu_times()[:2]) for one in postmaster.children())

    before, start = theirs(), time.process_time()
    for number in range(runs):
        work(number)
    return 1000 * (time.process_time() - start) / runs, 1000 * (theirs() - before) / runs


def writes(url: str) -> Iterator[dict[str, Any]]:
    """The lines about writing."""
    database = Database(url)
    schema.upgrade(database)
    store, rows, said = PlaybookRepository(database), vectors(PER_WRITER), texts(PER_WRITER)
    pgvector_tables.make(database)

    def write(domain_id: str, number: int) -> None:
        made = replace(bullet_of(said[number]), domain_id=domain_id)
        with store.transaction(domain_id) as transaction:
            transaction.apply([Add(bullet=made)], vectors={made.id: rows[number]}, now=SystemClock().now())

    def write_all(domain_id: str) -> None:
        for number in range(PER_WRITER):
            write(domain_id, number)

    own, theirs = _processor_time(database, lambda i: write("alone", i), PER_WRITER)
    for writers in (1, 8):
        with ThreadPoolExecutor(writers) as pool:
            domains = [f"w{writers}-{number}" for number in range(writers)]
            start = time.perf_counter()
            list(pool.map(write_all, domains))
            rate = writers * PER_WRITER / (time.perf_counter() - start)
        yield {"case": "writes", "writers": writers, "per_s": rate, "cpu_ms": own, "db_cpu_ms": theirs}
    database.close()


def _recall(index: VectorIndex, queries: Vectors, among: Vectors, stages: set[PlaybookStage] | None) -> float:
    """The share of the K nearest for which something as near was found."""
    k = min(K, len(among))
    least = np.sort(queries @ among.T, axis=1)[:, -k] - SAME
    hits = [index.nearest(DOMAIN, query[None], k=k, stages=stages).hits[0] for query in queries]
    near = [sum(hit.similarity >= limit for hit in row) / k for row, limit in zip(hits, least, strict=True)]
    return float(np.mean(near))


def _crowd(index: VectorIndex, queries: Vectors) -> float:
    end = time.perf_counter() + SECONDS

    def search(start: int) -> int:
        done = 0
        while time.perf_counter() < end:
            index.nearest(DOMAIN, queries[(start + done) % RUNS, None], k=K)
            done += 1
        return done

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(search, range(0, RUNS, RUNS // 8))) / SECONDS


def _writes(store: PlaybookRepository, index: VectorIndex, n: int, offset: int) -> float:
    """Near-twins of bullets there are, one a transaction, each searched for; milliseconds."""
    rows, said, clock = vectors(n), texts(n), SystemClock()

    def write(number: int) -> None:
        made = bullet_of(f"{said[number]} ({offset})")
        with store.transaction(DOMAIN) as transaction:
            transaction.apply([Add(bullet=made)], vectors={made.id: rows[number]}, now=clock.now())
        found = index.nearest(DOMAIN, rows[number, None], k=2).hits[0]
        assert made.id in {hit.bullet.id for hit in found}, "not found at once"

    return timed(lambda i: write(i + offset), WRITES).p50


def _promote(store: PlaybookRepository, n: int) -> None:
    """Each RARE-th bullet, from the first, into PROD."""
    ids = [bullet_of(text).id for text in texts(n)[::RARE]]
    for to in (PlaybookStage.STAGING, PlaybookStage.PROD):
        moves: list[Operation] = [Promote(bullet_id=own, to=to, reason="for the benchmark") for own in ids]
        with store.transaction(DOMAIN) as transaction:
            transaction.apply(moves, vectors={}, now=SystemClock().now())


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    with server() as url_of, TemporaryDirectory() as name:
        sizes = [int(word) for word in sys.argv[1:]] or [1_000, 10_000, 100_000]
        lines = (measure(size, url_of(f"size_{size}"), Path(name) / str(size)) for size in sizes)
        for line in itertools.chain(*lines, writes(url_of("writes"))):
            rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in line.items()}
            print(json.dumps(rounded), flush=True)


if __name__ == "__main__":
    main()
