"""Give a task the bullets that fit it, or all there are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ace.core.exposure import Draws, always, choose
from ace.core.ports import Embedder, VectorIndex, Vectors
from ace.core.ranking import rank
from ace.models.playbook import Context, PlaybookStage, Selection
from ace.services.whole import WHOLE_TOKENS, Whole

SPARE = 2  # nearest bullets fetched per bullet shown, so that trust can reorder them, and lots pass some over


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
        whole: Whole | None = None,
    ) -> None:
        self._index, self._embedder, self._stages = index, embedder, frozenset(stages)
        self._floor, self._trust_weight, self._whole = floor, trust_weight, whole

    def context(
        self,
        domain_id: str,
        query: str,
        *,
        k: int,
        token_budget: int | None = None,
        draws: Draws | None = None,
        selection: Selection = Selection.NEAREST,
    ) -> Context:
        """The best `k` bullets for the query text, at most `token_budget` tokens of them.

        With `draws` lots decide which of them are shown, of the stages that these draws can show. A `selection` of the
        whole playbook is given all bullets in order of birth, whatever `k` but 0; where they are more than the budget
        (WHOLE_TOKENS by default), the nearest that fit, in that order.
        """
        if selection == Selection.WHOLE and self._whole is not None and k > 0:
            return self._all(self._whole, domain_id, query, token_budget or WHOLE_TOKENS, draws)
        vector = self._embedder.embed([query])
        return self.context_for_vector(domain_id, vector, k=k, token_budget=token_budget, draws=draws)

    def _all(self, whole: Whole, domain_id: str, query: str, budget: int, draws: Draws | None) -> Context:
        found, most = whole.context(domain_id, stages=self._stages, token_budget=budget, draws=draws)
        if not most:
            return found
        return whole.in_order(self.context(domain_id, query, k=most, token_budget=budget, draws=draws))

    def context_for_vector(
        self, domain_id: str, vector: Vectors, *, k: int, token_budget: int | None = None, draws: Draws | None = None
    ) -> Context:
        """The same for a query that is embedded already, float32[1, d]."""
        if k == 0:
            return Context(domain_id=domain_id)
        stages = draws.stages if draws else self._stages
        found = self._index.nearest(domain_id, vector, k=k * SPARE, stages=stages)
        context = Context(domain_id=domain_id, position=found.position, holdout=draws.holdout if draws else 0.0)
        if draws and draws.held_out:
            return replace(context, held_out=True)
        hits = ((hit.bullet, hit.similarity) for hit in found.hits[0])
        ranked = rank(hits, k=k * SPARE, trust_weight=self._trust_weight, floor=self._floor)
        shown, lots = choose(ranked, draws.lot if draws else always, k=k, budget=token_budget)
        return replace(
            context,
            bullets=tuple(scored for scored, _, _ in shown),
            text="\n".join(line for _, line, _ in shown),
            tokens=sum(cost for _, _, cost in shown),
            lots=tuple(lots),
        )
