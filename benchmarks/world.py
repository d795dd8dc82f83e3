"""Playbooks of any size to measure on: real strategy text, real vectors, a real SQLite file. Built once, kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import numpy as np

from ace.core.ports import Vectors
from ace.errors import SchemaMismatch
from ace.models.plan import Add, Operation
from ace.models.playbook import Bullet, Section, bullet_id
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.schema import require_head
from ace.utils.clock import SystemClock
from ace.utils.embeddings import LocalEmbedder
from benchmarks.corpus import strategy_bullets

HOME = Path(".ace/bench")
MODELS = Path(".ace/models")
DOMAIN = "bench"
PAGE = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Milliseconds over the runs of one piece of work."""

    p50: float
    p95: float
    runs: int


def timed(work: Callable[[int], object], runs: int, warm_up: int = 3) -> Timing:
    """Call `work(n)` for n = 0, 1, …; the first `warm_up` calls do not count."""
    taken = []
    for number in range(warm_up + runs):
        start = time.perf_counter()
        work(number)
        taken.append(1000 * (time.perf_counter() - start))
    cuts = quantiles(taken[warm_up:], n=20)
    return Timing(p50=cuts[9], p95=cuts[18], runs=runs)


def texts(n: int) -> list[str]:
    """The first `n` bullets of the corpus."""
    return strategy_bullets(n, seed=0)


def vectors(n: int) -> Vectors:
    """Their embeddings, float32[n, 384]; made once (about 2 minutes for 10,000) and kept in .ace/bench."""
    HOME.mkdir(parents=True, exist_ok=True)
    kept = [file for file in HOME.glob("vectors-*.npy") if int(file.stem.split("-")[1]) >= n]
    if kept:
        found: Vectors = np.load(min(kept), mmap_mode="r")[:n]
        return np.ascontiguousarray(found)
    made = LocalEmbedder(MODELS, threads=2).embed(texts(n))
    np.save(HOME / f"vectors-{n:07}.npy", made)
    return made


def playbook(n: int) -> PlaybookRepository:
    """A store whose domain DOMAIN holds the first `n` bullets; made once and kept."""
    file = HOME / f"playbook-{n}.db"
    HOME.mkdir(parents=True, exist_ok=True)
    store = _opened(file)
    held = sum(store.count_by_stage(DOMAIN).values())
    if held < n:
        fill(store, held, n)
    return store


def _opened(file: Path) -> PlaybookRepository:
    """The store in a file; one of another schema is made anew."""
    try:
        return PlaybookRepository(require_head(Database(f"sqlite:///{file}")))
    except SchemaMismatch:
        for part in ("", "-wal", "-shm"):
            file.with_name(file.name + part).unlink(missing_ok=True)
        return PlaybookRepository(require_head(Database(f"sqlite:///{file}")))


def fill(store: PlaybookRepository, start: int, n: int) -> None:
    clock, rows = SystemClock(), vectors(n)
    bullets = [bullet_of(text) for text in texts(n)]
    for begin in range(start, n, PAGE):
        page = bullets[begin : begin + PAGE]
        added: list[Operation] = [Add(bullet=bullet) for bullet in page]
        by_id = {bullet.id: rows[begin + offset] for offset, bullet in enumerate(page)}
        with store.transaction(DOMAIN) as transaction:
            transaction.apply(added, vectors=by_id, now=clock.now())


def bullet_of(text: str) -> Bullet:
    return Bullet(id=bullet_id(DOMAIN, Section.STRATEGY, text), domain_id=DOMAIN, content=text)
