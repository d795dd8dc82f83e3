"""Give a task its bullets; take in what an episode taught."""

from __future__ import annotations

import json
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from ace.bootstrap import App
from ace.models.access import Principal, Role
from ace.models.insight import Delta, Insight, Vote
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
    given = app.advising.give(
        domain, body.task, k=body.k, token_budget=body.token_budget, traffic=body.traffic, session=body.session,
        selection=body.selection, principal=caller.key_id,
    )  # fmt: skip
    return Response(json.dumps(given.to_json()), media_type="application/json")


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
