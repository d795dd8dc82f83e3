"""Merging: one insight durably, and 300 at once, into playbooks of growing size. `python -m benchmarks.merge`

Embedding given means that the vectors come from a table; the second look (a model, where rules do not decide) is part
of every figure. The texts merged are corpus bullets the playbook does not hold; every tenth restates one it holds.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ace.core.ports import Embedder, Vectors
from ace.curator.semantic_curator import SemanticCurator
from ace.models.insight import Delta, Insight
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.utils.clock import SystemClock
from ace.utils.embeddings import LocalEmbedder
from ace.utils.faiss_index import FaissManager
from ace.utils.nli import NliSecondLook
from benchmarks.world import DOMAIN, HOME, MODELS, playbook, texts, timed

FRESH = 600  # texts beyond the playbook's own, to merge


class Table:
    """An embedder that knows its texts' vectors already."""

    name, dimensions = "all-MiniLM-L6-v2", 384

    def __init__(self, known: Sequence[str], inner: Embedder) -> None:
        self._rows = dict(zip(known, inner.embed(known), strict=True))

    def embed(self, wanted: Sequence[str]) -> Vectors:
        return np.stack([self._rows[text] for text in wanted])


def insights(n: int) -> list[str]:
    """`FRESH` texts for a playbook of the first `n`: nine new, one restated, and so on."""
    corpus = texts(n + FRESH)
    return [f"Remember: {corpus[i]}" if i % 10 == 0 else corpus[n + i] for i in range(FRESH)]


def curator(n: int, folder: Path, embedder: Embedder) -> SemanticCurator:
    """A Curator over a copy of the playbook of `n`, its index loaded."""
    playbook(n)
    shutil.copy(HOME / f"playbook-{n}.db", folder / "ace.db")
    store = PlaybookRepository(Database(f"sqlite:///{folder / 'ace.db'}"))
    index = FaissManager(store, folder / "index", model=embedder.name)
    index.get_index_size(DOMAIN)
    second_look = NliSecondLook(MODELS)
    return SemanticCurator(store=store, index=index, embedder=embedder, second_look=second_look, clock=SystemClock())


def measure(n: int) -> dict[str, float]:
    """Milliseconds for a playbook of `n` bullets."""
    fresh, local = insights(n), LocalEmbedder(MODELS)
    table = Table(fresh, local)
    with TemporaryDirectory() as folder:
        merging = curator(n, Path(folder), table)
        one = timed(lambda i: merging.apply_delta(_delta(f"one-{i}", fresh[i]), DOMAIN), runs=120)
    with TemporaryDirectory() as folder:
        merging = curator(n, Path(folder), table)
        merging.apply_delta(_delta("warm", fresh[-1]), DOMAIN)
        batch = [_delta(f"many-{i}", *fresh[3 * i : 3 * i + 3]) for i in range(100)]
        start = time.perf_counter()
        merging.batch_merge(batch, DOMAIN)
        given = 1000 * (time.perf_counter() - start)
    start = time.perf_counter()
    local.embed(fresh[:300])
    embedding = 1000 * (time.perf_counter() - start)
    return {"bullets": n, "one_p50_ms": one.p50, "one_p95_ms": one.p95, "batch_300_given_ms": given,
            "embedding_300_ms": embedding, "included_over_embedding": (given + embedding) / embedding}  # fmt: skip


def _delta(episode: str, *advice: str) -> Delta:
    return Delta(episode_id=episode, insights=tuple(Insight(content=text) for text in advice))


if __name__ == "__main__":
    for size in map(int, sys.argv[1:] or ("1000", "10000", "100000")):
        print(json.dumps({key: round(value, 2) for key, value in measure(size).items()}), flush=True)
