"""`ace.core.ports.VectorIndex` with FAISS: each domain's index is a view of its journal, at a position it knows.

Law: the journal is right. Every call first asks for its head, one cheap query; where the view is behind, it reads the
entries between and applies them, so it is right in every process without a word from the others. Where the view
cannot follow, it is made anew from the store, and the reason is logged:

    its files are missing, damaged or of another embedding model        the playbook was rolled back
    the journal is shorter than the view, or another (a restored copy)  the view is far behind

Views are kept in memory up to MEMORY_BYTES, those unused for longest leave first, and any unused for IDLE_S.
They are saved when they leave and after every SAVE_EVERY changes.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ace.config import get_settings
from ace.core.ports import Hit, Neighbourhood, Vectors
from ace.core.queries import check_k, one_row, unit_rows
from ace.core.validation import check_domain
from ace.errors import StoreUnavailable
from ace.models.journal import Entry, Position
from ace.models.playbook import Bullet, PlaybookStage
from ace.repositories.vector_scan import VectorScan
from ace.utils import faiss_files
from ace.utils.checked_files import Unsound
from ace.utils.faiss_shelf import Scored, Shelf
from ace.utils.faiss_view import Diverged, View

log = logging.getLogger(__name__)

MEMORY_BYTES = 256 * 2**20
IDLE_S = 900.0
SAVE_EVERY = 5000
SWEEP_EVERY_S = 1.0
PATIENCE_S = 5.0
FAR_BEHIND = 20_000  # entries; reading all vectors again is faster than following them
ATTEMPTS = 3


class IndexedStore(Protocol):
    """What an index reads of a `PlaybookStore`."""

    def head(self, domain_id: str) -> Position: ...

    def entries(self, domain_id: str, *, after: int = 0, limit: int | None = None) -> list[Entry]: ...

    def vectors(self, domain_id: str, ids: Sequence[str]) -> Vectors: ...

    def get_many(self, domain_id: str, ids: Sequence[str]) -> list[Bullet]: ...

    def count_by_stage(self, domain_id: str) -> dict[PlaybookStage, int]: ...

    def iter_vectors(self, domain_id: str, *, batch: int = 4096) -> AbstractContextManager[VectorScan]: ...


class _Held:
    """A domain's place: whoever holds `lock` may use or change the view."""

    def __init__(self, asked: str = "") -> None:
        self.lock = threading.Lock()
        self.view: View | None = None
        self.asked = asked  # the last request to unload that was there when the view was made
        self.used = 0.0


class FaissManager:
    """The indices of all domains of one store. Safe to share between threads; any number of processes may have one.

    `model` names what embedded the vectors: files of another model are not used.
    """

    def __init__(
        self,
        store: IndexedStore,
        directory: Path,
        *,
        model: str = "all-MiniLM-L6-v2",
        memory_bytes: int = MEMORY_BYTES,
        idle_s: float = IDLE_S,
    ) -> None:
        self._store, self._directory, self._model = store, directory, model
        self._memory_bytes, self._idle_s = memory_bytes, idle_s
        self._lock = threading.Lock()
        self._domains: dict[str, _Held] = {}
        self._next_sweep = 0.0

    def nearest(
        self, domain_id: str, vectors: Vectors, *, k: int, stages: Collection[PlaybookStage] | None = None
    ) -> Neighbourhood:
        """The `k` nearest bullets of each row of `vectors` (float32[n, d]), best first, as of the journal's head.

        Raises InvalidInput for vectors of another shape or with NaN, StoreUnavailable.
        """
        rows = unit_rows(vectors)
        check_k(k)
        with self._held(domain_id) as held:
            for _ in range(ATTEMPTS):
                view = self._current(domain_id, held)
                found = view.nearest(rows, k, stages)
                bullets, of_this_moment = self._bullets(domain_id, view, found)
                if of_this_moment:
                    break
            return Neighbourhood(position=view.position.seq, hits=tuple(_hits(row, bullets) for row in found))

    def search(self, domain_id: str, query: npt.ArrayLike, k: int = 10) -> list[tuple[str, float]]:
        """The `k` nearest of all stages to `query` (float32[d], of any length): (bullet id, cosine), best first."""
        rows = one_row(query)
        check_k(k)
        with self._held(domain_id) as held:
            return self._current(domain_id, held).nearest(rows, k, None)[0]

    def get_index_size(self, domain_id: str) -> int:
        """How many vectors the domain has now."""
        return sum(self._store.count_by_stage(check_domain(domain_id)).values())

    def load(self, domain_id: str) -> int:
        """Have the domain's index in memory, as of the journal's head; how many vectors it holds."""
        with self._held(domain_id) as held:
            return len(self._current(domain_id, held))

    def save(self, domain_id: str) -> None:
        """Put the domain's index on the disk, as of the journal's head. Raises StoreUnavailable."""
        with self._held(domain_id) as held:
            faiss_files.save(self._current(domain_id, held), self._directory, domain_id, self._model)

    def rebuild(self, domain_id: str) -> int:
        """Make the index anew from the store and save it; how many vectors it holds."""
        with self._held(domain_id) as held:
            held.view = self._built(domain_id, "a rebuild was asked for")
            return len(held.view)

    def compact(self, domain_id: str) -> int:
        """Drop what the store no longer has, and give the room back; how many vectors that were."""
        with self._held(domain_id) as held:
            before = len(held.view or self._on_disk(domain_id) or ())
            held.view = self._built(domain_id, "a compaction was asked for")
            return max(0, before - len(held.view))

    def tend(self, domain_id: str) -> None:
        """Nothing has to be done from time to time: a search brings the view up to date itself."""

    def unload(self, domain_id: str) -> None:
        """Save the domain's index if it has changed and forget it; the next call loads it again."""
        self._unload([check_domain(domain_id)], patience=PATIENCE_S)

    def unload_everywhere(self, domain_id: str) -> None:
        """Unload it here and in every other process that shares the folder. Raises StoreUnavailable."""
        self.unload(domain_id)
        faiss_files.ask_to_unload(self._directory, domain_id)

    def unload_idle(self) -> None:
        """Unload what nobody has used for `idle_s` seconds. Every call does so, too."""
        oldest = time.monotonic() - self._idle_s
        self._unload([domain_id for domain_id, held in self._by_age() if held.used < oldest])

    def loaded(self) -> dict[str, int]:
        """The domains in memory and how many bytes each takes, roughly; the one used last comes last."""
        return {domain_id: held.view.nbytes for domain_id, held in self._by_age() if held.view is not None}

    def close(self) -> None:
        """Unload everything."""
        self._unload([domain_id for domain_id, _ in self._by_age()], patience=PATIENCE_S)

    @contextmanager
    def _held(self, domain_id: str) -> Iterator[_Held]:
        """The domain's place, for this thread alone; afterwards what is too much is unloaded."""
        with self._lock:
            held = self._domains.get(check_domain(domain_id))
            if held is None:
                held = self._domains[domain_id] = _Held(self._asked(domain_id))
        with held.lock:
            held.used = time.monotonic()
            yield held
            if held.view is not None and held.view.changes >= SAVE_EVERY:
                self._try_to_save(domain_id, held.view)
        self._make_room()

    def _current(self, domain_id: str, held: _Held) -> View:
        """The domain's view at the journal's head."""
        head = self._store.head(domain_id)
        if held.view is None:
            held.view = self._on_disk(domain_id) or self._built(domain_id, "it was not on the disk")
        if held.view.position != head:
            try:
                self._follow(domain_id, held.view, head)
            except Diverged as reason:
                held.view = self._built(domain_id, str(reason))
        return held.view

    def _follow(self, domain_id: str, view: View, head: Position) -> None:
        behind = head.seq - view.position.seq
        if behind > FAR_BEHIND:
            raise Diverged(f"it was {behind} entries behind")
        entries = self._store.entries(domain_id, after=view.position.seq)
        if behind <= 0 and not entries:
            raise Diverged(f"the journal ends at {head.seq} and is not the one that was followed")
        view.follow(entries, lambda ids: self._store.vectors(domain_id, ids))

    def _on_disk(self, domain_id: str) -> View | None:
        try:
            return faiss_files.load(self._directory, domain_id, self._model)
        except Unsound as reason:
            log.info("index_not_loaded", extra={"domain": domain_id, "reason": str(reason)})
            return None

    def _built(self, domain_id: str, reason: str) -> View:
        started = time.monotonic()
        with self._store.iter_vectors(domain_id) as scan:
            view = View(scan.position)
            for ids, stages, vectors in scan:
                view.put(ids, stages, vectors)
        seconds = time.monotonic() - started
        log.info("index_rebuilt", extra={"domain": domain_id, "vectors": len(view), "seconds": round(seconds, 3),
                                         "reason": reason})  # fmt: skip
        self._try_to_save(domain_id, view)
        return view

    def _bullets(self, domain_id: str, view: View, found: Sequence[Scored]) -> tuple[dict[str, Bullet], bool]:
        """The bullets found, by id, and whether they are as of the view's position."""
        ids = dict.fromkeys(own for row in found for own, _ in row)
        bullets = view.kept(ids)
        missing = [own for own in ids if own not in bullets]
        if not missing:
            return bullets, True
        read = self._store.get_many(domain_id, missing)
        of_this_moment = self._store.head(domain_id) == view.position
        if of_this_moment:
            view.keep(read)
        return bullets | {bullet.id: bullet for bullet in read}, of_this_moment

    def _try_to_save(self, domain_id: str, view: View) -> None:
        """Searching goes on when the disk refuses."""
        try:
            faiss_files.save(view, self._directory, domain_id, self._model)
        except StoreUnavailable as error:
            view.changes = 0
            log.warning("index_not_saved", extra={"domain": domain_id, "reason": str(error)})

    def _make_room(self) -> None:
        """Unload what is idle, and the oldest of what is more than the memory allowed; at most once a second."""
        now = time.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEP_EVERY_S
        self.unload_idle()
        self._unload([domain_id for domain_id, held in self._by_age() if held.asked != self._asked(domain_id)])
        excess = sum(self.loaded().values()) - self._memory_bytes
        leaving: list[str] = []
        for domain_id, size in list(self.loaded().items())[:-1]:
            if excess <= 0:
                break
            leaving.append(domain_id)
            excess -= size
        self._unload(leaving)

    def _unload(self, domains: Sequence[str], *, patience: float = 0.0) -> None:
        """Save and forget these, but not one that somebody goes on using for `patience` seconds."""
        for domain_id in domains:
            held = self._domains.get(domain_id)
            if held is not None and held.lock.acquire(timeout=patience):
                try:
                    if held.view is not None and held.view.changes:
                        self._try_to_save(domain_id, held.view)
                    held.view = None
                    self._domains.pop(domain_id, None)
                finally:
                    held.lock.release()

    def _asked(self, domain_id: str) -> str:
        return faiss_files.asked_to_unload(self._directory, domain_id)

    def _by_age(self) -> list[tuple[str, _Held]]:
        """The domains in memory, the one used last at the end."""
        with self._lock:
            return sorted(self._domains.items(), key=lambda item: item[1].used)


def is_ready() -> bool:
    """FAISS is loaded and finds what it was given."""
    shelf = Shelf(4)
    shelf.add(["own"], np.eye(1, 4, dtype=np.float32))
    return [own for own, _ in shelf.nearest(np.eye(1, 4, dtype=np.float32), 1)[0]] == ["own"]


@lru_cache(maxsize=1)
def get_faiss_manager() -> FaissManager:
    """The index of the database and the folder the settings name; one for this process, saved when it ends."""
    from ace.repositories.playbook_repository import PlaybookRepository

    settings = get_settings()
    manager = FaissManager(
        PlaybookRepository(), settings.path("indices"), model=settings.embeddings_model,
        memory_bytes=settings.faiss_memory_mb * 2**20, idle_s=settings.faiss_idle_s,
    )  # fmt: skip
    atexit.register(manager.close)
    return manager


def _hits(row: Scored, bullets: dict[str, Bullet]) -> tuple[Hit, ...]:
    return tuple(Hit(bullet=bullets[own], similarity=similarity) for own, similarity in row if own in bullets)
