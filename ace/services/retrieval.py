"""Give a task the bullets that fit it."""

from __future__ import annotations

from collections.abc import Collection

from ace.core.ports import Embedder, VectorIndex, Vectors
from ace.core.ranking import rank, within_budget
from ace.core.rendering import estimate_tokens, render_bullet
from ace.models.playbook import Context, PlaybookStage

Stages = frozenset[PlaybookStage]
SPARE = 2  # nearest bullets fetched per bullet shown, so that trust can reorder them


class Retrieval:
    """Searches one store's playbooks; `stages` are those whose bullets may be shown."""

    def __init__(
        self,
        *,
        index: VectorIndex,
        embedder: Embedder,
        stages: Collection[PlaybookStage],
        floor: float,
        trust_weight: float,
    ) -> None:
        self._index, self._embedder, self._stages = index, embedder, frozenset(stages)
        self._floor, self._trust_weight = floor, trust_weight

    def context(
        self, domain_id: str, query: str, *, k: int, token_budget: int | None = None, stages: Stages | None = None
    ) -> Context:
        """The best `k` bullets for the query text, at most `token_budget` tokens of them; `stages` instead of ours."""
        vector = self._embedder.embed([query])
        return self.context_for_vector(domain_id, vector, k=k, token_budget=token_budget, stages=stages)

    def context_for_vector(
        self, domain_id: str, vector: Vectors, *, k: int, token_budget: int | None = None, stages: Stages | None = None
    ) -> Context:
        """The same for a query that is embedded already, float32[1, d]."""
        if k == 0:
            return Context(domain_id=domain_id)
        found = self._index.nearest(domain_id, vector, k=k * SPARE, stages=stages or self._stages)
        hits = ((hit.bullet, hit.similarity) for hit in found.hits[0])
        ranked = rank(hits, k=k, trust_weight=self._trust_weight, floor=self._floor)
        lines = [render_bullet(item.bullet) for item in ranked]
        tokens = [estimate_tokens(line) for line in lines]
        kept = within_budget(ranked, tokens, token_budget)
        return Context(
            domain_id=domain_id,
            bullets=tuple(kept),
            text="\n".join(lines[: len(kept)]),
            tokens=sum(tokens[: len(kept)]),
            position=found.position,
        )
