"""Wrappers that count, log and trace around what they wrap; the composition root puts them on.

MeteredIndex       faiss_search_latency_ms
MeteredRetrieval   playbook_retrieval_latency_ms, a span
MeteredCurator     batch_merge_duration_seconds, insights_processed_total, a span,
                   and the events batch_merge_start, batch_merge_complete, batch_merge_failed
llm_call           ace_llm_*, a span by the GenAI conventions, for one model call
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ace.curator.semantic_curator import Along, SemanticCurator
from ace.models.playbook import Selection
from ace.services.retrieval import Retrieval
from ace.utils import metrics, tracing

if TYPE_CHECKING:
    from ace.core.exposure import Draws
    from ace.core.ports import Neighbourhood, Transaction, VectorIndex, Vectors
    from ace.core.review import Policy
    from ace.models.insight import Delta
    from ace.models.plan import MergeResult
    from ace.models.playbook import Context, PlaybookStage
    from ace.models.task import Usage

log = logging.getLogger(__name__)


class MeteredIndex:
    """A `VectorIndex` whose searches are timed."""

    def __init__(self, inner: VectorIndex) -> None:
        self._inner = inner

    def nearest(
        self, domain_id: str, vectors: Vectors, *, k: int, stages: Collection[PlaybookStage] | None = None
    ) -> Neighbourhood:
        with metrics.timed("faiss_search_latency_ms"):
            return self._inner.nearest(domain_id, vectors, k=k, stages=stages)


class MeteredRetrieval(Retrieval):
    """A `Retrieval` that is timed. It has what `inner` has."""

    def __init__(self, inner: Retrieval) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

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
        with tracing.span("retrieval"), metrics.timed("playbook_retrieval_latency_ms"):
            return self.inner.context(
                domain_id, query, k=k, token_budget=token_budget, draws=draws, selection=selection
            )

    def context_for_vector(
        self,
        domain_id: str,
        vector: Vectors,
        *,
        k: int,
        token_budget: int | None = None,
        draws: Draws | None = None,
    ) -> Context:
        with tracing.span("retrieval"), metrics.timed("playbook_retrieval_latency_ms"):
            return self.inner.context_for_vector(domain_id, vector, k=k, token_budget=token_budget, draws=draws)


class MeteredCurator(SemanticCurator):
    """A `SemanticCurator` whose merges are timed, counted and logged."""

    def batch_merge(
        self,
        task_insights: Sequence[Delta],
        domain_id: str,
        *,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        along: Along | None = None,
        policy: Policy | None = None,
    ) -> MergeResult:
        insights = sum(len(delta.insights) for delta in task_insights)
        done: list[MergeResult] = []  # stays empty when the answer is an earlier one, given again

        def written(transaction: Transaction, result: MergeResult) -> None:
            if along:
                along(transaction, result)
            done.append(result)

        started = time.perf_counter()
        log.info("batch_merge_start", extra={"domain": domain_id, "tasks": len(task_insights), "insights": insights})
        with _noting_failure(domain_id, len(task_insights), insights):
            result = super().batch_merge(
                task_insights, domain_id, timeout=timeout, idempotency_key=idempotency_key, along=written, policy=policy
            )
        log.info("batch_merge_complete", extra={
            "domain": domain_id, "tasks": len(task_insights), "insights": insights, "repeated": not done,
            "operations": result.operations if done else 0, "seconds": round(time.perf_counter() - started, 4),
        })  # fmt: skip
        if done:
            metrics.count("insights_processed_total", by=insights)
        return result


@contextmanager
def _noting_failure(domain_id: str, tasks: int, insights: int) -> Iterator[None]:
    """Time and trace one merge, and say so when it fails."""
    attributes = {"ace.tasks": tasks, "ace.insights": insights}
    try:
        with tracing.span("merge", attributes), metrics.timed("batch_merge_duration_seconds"):
            yield
    except Exception as error:
        told = type(error).__name__
        log.warning(
            "batch_merge_failed", extra={"domain": domain_id, "tasks": tasks, "insights": insights, "error": told}
        )
        raise


@contextmanager
def llm_call(model: str, options: dict[str, Any]) -> Iterator[list[Usage]]:
    """Observe one model call; put what it used into the list when it is answered."""
    used: list[Usage] = []
    started = time.perf_counter()
    with tracing.llm_span(model, options) as span:
        yield used
        for usage in used:
            tracing.add_usage(span, usage)
            metrics.llm_answered(model, usage, time.perf_counter() - started)
