"""Search in a playbook as it was: its bullets embedded anew and compared one by one, no index."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ace.core.ports import Embedder, Hit, Neighbourhood, Vectors
from ace.core.replay import State
from ace.core.sampling import batches
from ace.models.playbook import PlaybookStage

BATCH = 32


class Snapshot:
    """A `VectorIndex` of one state of a domain; bullets that nobody was shown are not embedded."""

    def __init__(self, state: State, position: int, embedder: Embedder, stages: Collection[PlaybookStage]) -> None:
        self._position = position
        self._bullets = [bullet for bullet in state.bullets.values() if bullet.stage in stages]
        texts = [bullet.content for bullet in self._bullets]
        parts = [embedder.embed(some) for some in batches(texts, BATCH)]
        self._vectors: Vectors = np.concatenate(parts) if parts else np.zeros((0, embedder.dimensions), np.float32)

    def nearest(
        self, domain_id: str, vectors: Vectors, *, k: int, stages: Collection[PlaybookStage] | None = None
    ) -> Neighbourhood:
        """The `k` nearest bullets then."""
        del domain_id
        rows = (self._row(cosines, k, stages) for cosines in np.asarray(vectors) @ self._vectors.T)
        return Neighbourhood(position=self._position, hits=tuple(rows))

    def _row(self, cosines: Vectors, k: int, stages: Collection[PlaybookStage] | None) -> tuple[Hit, ...]:
        pairs = zip(self._bullets, cosines.tolist(), strict=True)
        hits = [Hit(bullet=one, similarity=cosine) for one, cosine in pairs if stages is None or one.stage in stages]
        return tuple(sorted(hits, key=lambda hit: (-hit.similarity, hit.bullet.id))[:k])
