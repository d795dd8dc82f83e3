"""Give a task its bullets; take in what an episode taught."""

from __future__ import annotations

import json
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from ace.bootstrap import App
from ace.core.exposure import Draws
from ace.core.validation import check_text
from ace.models.access import Principal, Role
from ace.models.insight import Delta, Insight, Vote
from ace.models.playbook import Context, Selection, Traffic
from ace.web.access import needs
from ace.web.described import CONFLICT
from ace.web.schemas import ContextRequest, ContextResponse, InsightsRequest, InsightsResponse

router = APIRouter(tags=["agents"])

IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=1, max_length=150, description="do it once, however often")
]


@router.post("/v1/domains/{domain}/context", response_model=ContextResponse)
@needs(Role.READ)
def context(domain: str, body: ContextRequest, caller: Principal, app: App) -> Response:
    """The bullets that fit a task, and a receipt to report with. A domain nobody has taught yet gives none."""
    check_text("task", body.task, limit=len(body.task))
    traffic = body.traffic or Traffic(app.settings.env)
    k = app.settings.k if body.k is None else body.k
    budget = body.token_budget or app.settings.token_budget
    own = app.receipts.new_id()
    draws = Draws(unit=body.session or own, traffic=traffic, shares=app.shares)
    selection = body.selection or Selection(app.settings.selection)
    found = app.retrieval.context(domain, body.task, k=k, token_budget=budget, draws=draws, selection=selection)
    receipt, text = app.receipts.issue(own, found, traffic=traffic, principal=caller.key_id)
    return Response(json.dumps(_answer(found, receipt.id, text)), media_type="application/json")


@router.post("/v1/domains/{domain}/insights", response_model=InsightsResponse, responses=CONFLICT)
@needs(Role.WRITE)
def insights(
    domain: str, body: InsightsRequest, caller: Principal, app: App, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Merge lessons and votes. A near-duplicate raises a counter, a doubtful lesson waits, the rest is added."""
    by = caller.key_id or "local"
    delta = Delta(
        episode_id=body.episode_id or f"http/{by}/{idempotency_key or uuid.uuid4().hex}",
        task_id=body.task_id,
        insights=tuple(
            Insight(content=one.content, section=one.section, tag=one.tag, confidence=one.confidence)
            for one in body.insights
        ),
        votes=tuple(Vote(bullet_id=vote.bullet_id, tag=vote.tag) for vote in body.votes),
        principal=caller.key_id,
    )
    result = app.curator.apply_delta(delta, domain, idempotency_key=http_key(idempotency_key))
    outcomes = [
        {"outcome": one.outcome.value, "bullet_id": one.bullet_id, "similarity": one.similarity,
         "contradicts": list(one.contradicts), "reasons": list(one.reasons)}
        for one in result.outcomes
    ]  # fmt: skip
    return {"domain": domain, "episode_id": delta.episode_id, "outcomes": outcomes, "position": result.position}


def http_key(given: str | None) -> str | None:
    """The store's name for a caller's idempotency key."""
    return f"http/{given}" if given else None


def _answer(found: Context, receipt_id: str, receipt: str) -> dict[str, Any]:
    bullets = [
        {"id": one.bullet.id, "content": one.bullet.content, "section": one.bullet.section, "stage": one.bullet.stage,
         "similarity": round(one.similarity, 4), "score": round(one.score, 4)}
        for one in found.bullets
    ]  # fmt: skip
    return {"domain": found.domain_id, "bullets": bullets, "text": found.text, "tokens": found.tokens,
            "position": found.position, "held_out": found.held_out, "receipt": receipt,
            "receipt_id": receipt_id}  # fmt: skip
