"""One shelf holds the vectors of one stage; FAISS searches it. The kind of index is chosen by size:

    vectors          kind                                                          recall@10    search, k = 20
    up to 2,048      every vector, float16 ("SQfp16")                              1.000        0.03 ms
    more             4-bit codes of every 4 numbers ("PQ<d/4>x4fs") choose 160     >= 0.998     0.07 ms at 10,000
                     to 320 candidates, whose float16 vectors decide ("Refine")                 0.26 ms at 100,000

The codes are learned once, from what lies on the shelf when it outgrows the plain kind, and serve ever after: learned
from 2,048 vectors of one field of work and used on 100,000 of fifteen, recall@10 stays >= 0.999
(docs/adr/0003-embeddings-and-index.md). Similarities are inner products with the float16 vectors, so cosines to 0.001.

What leaves the shelf only loses its name; its slot is swept up when a fifth of the slots are such.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from ace.core.ports import Vectors

PLAIN_UNTIL = 2048
CANDIDATES, CANDIDATES_OF_MANY, MANY = 160, 320, 16_384  # how many codes choose at least, by size of the shelf
CANDIDATES_PER_HIT = 8
CODE_NUMBERS, CODE_BITS = 4, 4  # one code of 4 bits stands for 4 numbers
TRAINING_ROUNDS, TRAINING_VECTORS = 10, 8192  # k-means: 0.13 s for 2,048 vectors, 0.2 s for 8,192
SWEEP_SHARE, SWEEP_LEAST = 0.2, 64
PAGE = 4096

Scored = list[tuple[str, float]]


class Shelf:
    """Named vectors of one dimension. Not safe for threads by itself.

    `index` is FAISS's, of one of the two kinds above, and `ids` names its slots; a new shelf is empty.
    """

    def __init__(self, dimensions: int, *, index: Any = None, ids: Sequence[str] = ()) -> None:
        self.dimensions = dimensions
        self._index = _plain(dimensions) if index is None else index
        self._ids: list[str | None] = list(ids)
        self._slots = {own: slot for slot, own in enumerate(ids)}

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, own: str) -> bool:
        return own in self._slots

    @property
    def ids(self) -> list[str]:
        """The names in the order of their slots."""
        return [own for own in self._ids if own is not None]

    @property
    def kind(self) -> str:
        """What the table above calls it."""
        return f"PQ{self.dimensions // CODE_NUMBERS}x{CODE_BITS}fs,Refine(SQfp16)" if self._coded else "SQfp16"

    @property
    def nbytes(self) -> int:
        """Memory, roughly: vectors and codes, and 200 bytes for each name and its slot."""
        code = self.dimensions // (2 * CODE_NUMBERS) if self._coded else 0
        return len(self._ids) * (2 * self.dimensions + code + 200)

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Put these vectors, float32[len(ids), d], on the shelf; names that lie there already are passed over."""
        _alone()
        new = [row for row, own in enumerate(ids) if own not in self._slots]
        for row in new:
            self._slots[ids[row]] = len(self._ids)
            self._ids.append(ids[row])
        if new:
            self._index.add(np.ascontiguousarray(vectors[new], dtype=np.float32))
        if len(self) > PLAIN_UNTIL and not self._coded and self.dimensions % CODE_NUMBERS == 0:
            self._index = _coded(self._exact)

    def take(self, own: str) -> Vectors:
        """Take one off the shelf: its vector, float32[d]."""
        slot = self._slots.pop(own)
        self._ids[slot] = None
        vector: Vectors = self._exact.reconstruct(slot)
        dead = len(self._ids) - len(self._slots)
        if dead > max(SWEEP_LEAST, SWEEP_SHARE * len(self._ids)):
            self.sweep()
        return vector

    def sweep(self) -> None:
        """Give the slots of what was taken back to the system."""
        dead = np.array([slot for slot, own in enumerate(self._ids) if own is None], dtype=np.int64)
        if not len(dead):
            return
        _alone()
        exact = self._exact
        exact.remove_ids(faiss.IDSelectorBatch(dead))
        self._ids = [own for own in self._ids if own is not None]
        self._slots = {own: slot for slot, own in enumerate(self._ids) if own is not None}
        if self._coded:
            _encode(faiss.downcast_index(self._index.base_index), exact)
            self._index.ntotal = exact.ntotal

    def nearest(self, vectors: Vectors, k: int) -> list[Scored]:
        """For each row of `vectors` (float32[n, d]) the `k` nearest names with their similarity, best first."""
        wanted = min(k, len(self))
        if not wanted:
            return [[] for _ in vectors]
        fetch = wanted
        while True:
            similarities, slots = self._search(vectors, fetch)
            rows = zip(slots.tolist(), np.clip(similarities, -1, 1).tolist(), strict=True)
            found = [self._named(*row) for row in rows]
            if fetch == len(self._ids) or all(len(row) >= wanted for row in found):
                return [row[:wanted] for row in found]
            fetch = min(2 * fetch + SWEEP_LEAST, len(self._ids))

    def write(self, file: Path) -> None:
        """Write the index; call `sweep` first, so that `ids` names its slots."""
        faiss.write_index(self._index, str(file))

    @classmethod
    def read(cls, file: Path, ids: Sequence[str]) -> Shelf:
        """The shelf written to `file`, whose bytes have been checked."""
        index = faiss.read_index(str(file))
        if index.ntotal != len(ids):
            raise ValueError(f"{file.name} holds {index.ntotal} vectors for {len(ids)} names")
        return cls(index.d, index=index, ids=ids)

    @property
    def _coded(self) -> bool:
        return isinstance(self._index, faiss.IndexRefine)

    @property
    def _exact(self) -> Any:
        return faiss.downcast_index(self._index.refine_index) if self._coded else self._index

    def _search(self, vectors: Vectors, fetch: int) -> tuple[Any, Any]:
        _alone()
        if not self._coded:
            found: tuple[Any, Any] = self._index.search(vectors, fetch)
            return found
        least = CANDIDATES if len(self._ids) <= MANY else CANDIDATES_OF_MANY
        candidates = max(least, CANDIDATES_PER_HIT * fetch)
        if 2 * candidates > len(self._ids):
            found = self._exact.search(vectors, fetch)
        else:
            self._index.k_factor = candidates / fetch
            found = self._index.search(vectors, fetch)
        return found

    def _named(self, slots: list[int], similarities: list[float]) -> Scored:
        ids = self._ids
        pairs = zip(slots, similarities, strict=True)
        return [(own, similarity) for slot, similarity in pairs if slot >= 0 and (own := ids[slot]) is not None]


def _alone() -> None:
    """Let FAISS work on this thread only: its helpers spin while they wait, which costs more than they bring."""
    faiss.omp_set_num_threads(1)


def _plain(dimensions: int) -> Any:
    index = faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True  # float16 has nothing to learn
    return index


def _coded(exact: Any) -> Any:
    """The same vectors behind codes learned from them."""
    codes = faiss.IndexPQFastScan(exact.d, exact.d // CODE_NUMBERS, CODE_BITS, faiss.METRIC_INNER_PRODUCT)
    codes.pq.cp.niter = TRAINING_ROUNDS
    sample = np.unique(np.linspace(0, exact.ntotal - 1, TRAINING_VECTORS).astype(np.int64))
    codes.train(exact.reconstruct_batch(sample))
    _encode(codes, exact)
    return faiss.IndexRefine(codes, exact)


def _encode(codes: Any, exact: Any) -> None:
    """The codes of every vector, in order; what was learned is kept."""
    codes.reset()
    for start in range(0, exact.ntotal, PAGE):
        codes.add(exact.reconstruct_n(start, min(PAGE, exact.ntotal - start)))
