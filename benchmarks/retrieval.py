"""Context for a task: search, rows, ranking, rendering, in growing playbooks. `python -m benchmarks.retrieval`

    given_p50_ms, given_p95_ms      the query's vector is given; every call checks the journal's head in SQLite
    text_p50_ms, text_p95_ms        the query is text (25 word pieces), embedded by MiniLM on one thread
    nearest_300_ms                  300 vectors at once, 8 neighbours each, as the Curator asks
    first_s                         the first call of a process: the index is read from the disk and checked
    rss_mb                          of the process that serves, the embedder loaded
    recall_at_10                    against comparing with every vector, over 300 queries

Each size is measured in a process of its own. Every query is a new text, so no cache answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from ace.core.ports import VectorIndex, Vectors
from ace.models.playbook import PlaybookStage
from ace.services.retrieval import Retrieval
from ace.utils.embeddings import LocalEmbedder
from ace.utils.faiss_index import FaissManager
from benchmarks.corpus import task_queries
from benchmarks.world import DOMAIN, HOME, MODELS, playbook, timed, vectors

K, RUNS, BATCH, BATCH_K = 10, 300, 300, 8
VISIBLE = {PlaybookStage.SHADOW, PlaybookStage.STAGING, PlaybookStage.PROD}
SAME = 1e-3  # cosines nearer to each other than this are one


def index_of(n: int) -> FaissManager:
    return FaissManager(playbook(n), HOME / f"indices-{n}")


def prepare(n: int) -> None:
    """The playbook filled and its index on the disk."""
    index_of(n).save(DOMAIN)


def measure(n: int) -> dict[str, float]:
    """What the head of this file names, for a playbook of `n` bullets."""
    index, embedder = index_of(n), LocalEmbedder(MODELS)
    queries = task_queries(2 * RUNS + 6)
    rows = embedder.embed(queries)
    start = time.perf_counter()
    index.nearest(DOMAIN, rows[:1], k=1)
    first = time.perf_counter() - start
    retrieval = Retrieval(index=index, embedder=embedder, stages=VISIBLE, floor=0.2, trust_weight=0.1)
    given = timed(lambda i: retrieval.context_for_vector(DOMAIN, rows[i, None], k=K), RUNS)
    text = timed(lambda i: retrieval.context(DOMAIN, queries[RUNS + 3 + i], k=K), RUNS)
    many = timed(lambda _: index.nearest(DOMAIN, rows[:BATCH], k=BATCH_K), 20)
    resident = rss_mb()
    return {"bullets": n, "given_p50_ms": given.p50, "given_p95_ms": given.p95, "text_p50_ms": text.p50,
            "text_p95_ms": text.p95, "nearest_300_ms": many.p50, "first_s": first, "rss_mb": resident,
            "recall_at_10": recall(index, rows[:RUNS], vectors(n))}  # fmt: skip


def recall(index: VectorIndex, queries: Vectors, everything: Vectors, k: int = 10) -> float:
    """The share of what the index finds that is as near as the `k` nearest are."""
    least = np.sort(queries @ everything.T, axis=1)[:, -k] - SAME
    found = index.nearest(DOMAIN, queries, k=k).hits
    return float(np.mean([[hit.similarity >= limit for hit in row] for row, limit in zip(found, least, strict=True)]))


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _in_a_process_of_its_own(n: int) -> None:
    prepare(n)
    subprocess.run([sys.executable, "-m", "benchmarks.retrieval", "--serve", str(n)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        print(json.dumps({key: round(value, 3) for key, value in measure(int(sys.argv[2])).items()}), flush=True)
    else:
        for size in map(int, sys.argv[1:] or ("1000", "10000", "100000")):
            _in_a_process_of_its_own(size)
