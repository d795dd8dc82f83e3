"""Search without an index: every vector of the domain, read from the store at each call and compared with numpy."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ace.core.ports import Hit, Neighbourhood, PlaybookStore, Vectors
from ace.errors import InvalidInput
from ace.models.playbook import Bullet, PlaybookStage


class ExactIndex:
    """`ace.core.ports.VectorIndex` over any store: slow, without state, and right."""

    def __init__(self, store: PlaybookStore) -> None:
        self._store = store

    def nearest(
        self, domain_id: str, vectors: Vectors, *, k: int, stages: Collection[PlaybookStage] | None = None
    ) -> Neighbourhood:
        """As the port says. Raises InvalidInput for vectors that are no rows of finite numbers of the right length."""
        if k < 0 or np.ndim(vectors) != 2 or not np.isfinite(vectors).all() or not np.any(vectors, axis=1).all():
            raise InvalidInput("vectors", "are not float32[n, d] of finite numbers, none all zero, or k is below 0")
        position = self._store.head(domain_id).seq
        bullets = [found for found in self._store.get_all(domain_id) if stages is None or found.stage in stages]
        hits = self._compared(domain_id, vectors, bullets) if bullets else [[] for _ in vectors]
        if self._store.head(domain_id).seq != position:  # somebody wrote meanwhile
            return self.nearest(domain_id, vectors, k=k, stages=stages)
        return Neighbourhood(position=position, hits=tuple(tuple(row[:k]) for row in hits))

    def _compared(self, domain_id: str, vectors: Vectors, bullets: list[Bullet]) -> list[list[Hit]]:
        stored = self._store.vectors(domain_id, [bullet.id for bullet in bullets])
        if stored.shape[1] != np.shape(vectors)[1]:
            raise InvalidInput("vectors", f"have {np.shape(vectors)[1]} numbers, this domain's have {stored.shape[1]}")
        cosines = _unit(np.asarray(vectors)) @ _unit(stored).T
        scored = [[Hit(bullet=b, similarity=c) for b, c in zip(bullets, row, strict=True)] for row in cosines.tolist()]
        return [sorted(row, key=lambda hit: (-hit.similarity, hit.bullet.id)) for row in scored]


def _unit(rows: Vectors) -> Vectors:
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
