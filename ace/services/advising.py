"""Give a task the bullets that fit it, with a receipt to report with: the same for every door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ace.core.exposure import Draws, Shares
from ace.core.validation import check_domain, check_text
from ace.models.playbook import Context, Selection, Traffic
from ace.services.receipts import Receipts
from ace.services.retrieval import Retrieval


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """What the task is shown; `receipt` is the text to hand back, `receipt_id` what it is known by."""

    context: Context
    receipt: str
    receipt_id: str

    def to_json(self) -> dict[str, Any]:
        """As the interface answers."""
        found = self.context
        bullets = [
            {"id": one.bullet.id, "content": one.bullet.content, "section": one.bullet.section,
             "stage": one.bullet.stage, "similarity": round(one.similarity, 4), "score": round(one.score, 4)}
            for one in found.bullets
        ]  # fmt: skip
        return {"domain": found.domain_id, "bullets": bullets, "text": found.text, "tokens": found.tokens,
                "position": found.position, "held_out": found.held_out, "receipt": self.receipt,
                "receipt_id": self.receipt_id}  # fmt: skip


class Advising:
    """One store's advice. `k`, `token_budget`, `traffic` and `selection` are meant where a caller does not say."""

    def __init__(
        self,
        retrieval: Retrieval,
        receipts: Receipts,
        shares: Shares,
        *,
        k: int,
        token_budget: int | None,
        traffic: Traffic,
        selection: Selection = Selection.NEAREST,
    ) -> None:
        self._retrieval, self._receipts, self._shares = retrieval, receipts, shares
        self._k, self._token_budget, self._traffic, self._selection = k, token_budget, traffic, selection

    def give(
        self,
        domain_id: str,
        task: str,
        *,
        k: int | None = None,
        token_budget: int | None = None,
        traffic: Traffic | None = None,
        session: str | None = None,
        selection: Selection | None = None,
        principal: str | None = None,
    ) -> Advice:
        """The bullets for the task. Lots decide which; tasks of one `session` are drawn for alike."""
        check_text("task", task, limit=len(task))
        own, kind = self._receipts.new_id(), traffic or self._traffic
        draws = Draws(unit=session or own, traffic=kind, shares=self._shares)
        context = self._retrieval.context(
            check_domain(domain_id), task, k=self._k if k is None else k,
            token_budget=token_budget or self._token_budget, draws=draws, selection=selection or self._selection,
        )  # fmt: skip
        receipt, text = self._receipts.issue(own, context, traffic=kind, principal=principal)
        return Advice(context=context, receipt=text, receipt_id=receipt.id)
