"""Look at what waits for a person, and decide it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from ace.bootstrap import App
from ace.core.review import item_to_json
from ace.errors import InvalidInput
from ace.models.access import Principal, Role
from ace.models.review import ReviewState
from ace.web.access import needs
from ace.web.context import IdempotencyKey, http_key
from ace.web.described import CONFLICT
from ace.web.schemas import Approval, Rejection, ReviewOut, ReviewPage

router = APIRouter(tags=["reviews"])
MAX_PAGE = 500


@router.get("/v1/domains/{domain}/reviews", response_model=ReviewPage)
@needs(Role.REVIEW)
def list_reviews(
    domain: str,
    app: App,
    state: ReviewState | None = None,
    cursor: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> dict[str, Any]:
    """What waits for a person and what was decided, those that came first in front; `state=waiting` is the queue."""
    if "\0" in cursor:
        raise InvalidInput("cursor", "is not one of ours", "Send `next` of the page before, as it was")
    found = app.reviews.list(domain, state, limit=limit, after=cursor)
    following = found[-1].id if len(found) == limit else None
    return {"reviews": [item_to_json(item) for item in found], "counts": app.reviews.counts(domain), "next": following}


@router.get("/v1/domains/{domain}/reviews/{review_id}", response_model=ReviewOut)
@needs(Role.REVIEW)
def one_review(domain: str, review_id: str, app: App) -> dict[str, Any]:
    """One item, with the reasons it waits for."""
    return item_to_json(app.reviews.get(domain, review_id))


@router.post("/v1/domains/{domain}/reviews/{review_id}/approve", response_model=ReviewOut, responses=CONFLICT)
@needs(Role.REVIEW)
def approve(
    domain: str, review_id: str, body: Approval, caller: Principal, app: App, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Merge the insight, as it is or in the words of `content`. Decided before: 409."""
    by = caller.key_id or "local"
    found = app.reviews.approve(domain, review_id, by=by, content=body.content, key=http_key(idempotency_key))
    return item_to_json(found)


@router.post("/v1/domains/{domain}/reviews/{review_id}/reject", response_model=ReviewOut, responses=CONFLICT)
@needs(Role.REVIEW)
def reject(
    domain: str, review_id: str, body: Rejection, caller: Principal, app: App, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Turn it down; the same advice is not proposed again. Decided before: 409."""
    by = caller.key_id or "local"
    return item_to_json(app.reviews.reject(domain, review_id, body.reason, by=by, key=http_key(idempotency_key)))


@router.post("/v1/domains/{domain}/reviews/{review_id}/reopen", response_model=ReviewOut, responses=CONFLICT)
@needs(Role.REVIEW)
def reopen(
    domain: str, review_id: str, body: Rejection, caller: Principal, app: App, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Take a rejection back: it waits again. Not rejected: 409."""
    by = caller.key_id or "local"
    return item_to_json(app.reviews.reopen(domain, review_id, body.reason, by=by, key=http_key(idempotency_key)))
