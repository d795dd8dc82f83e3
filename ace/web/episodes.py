"""Take in what happened to an agent; say how far each report has come."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ace.bootstrap import App
from ace.errors import InvalidInput, NotFound
from ace.models.access import Principal, Role
from ace.models.episode import EpisodeState, EpisodeStatus
from ace.utils.episode_report import EpisodeReport, to_episode
from ace.web.access import needs
from ace.web.context import IdempotencyKey
from ace.web.described import CONFLICT
from ace.web.schemas import EpisodeOut, EpisodePage, EpisodeTaken

router = APIRouter(tags=["episodes"])
MAX_PAGE = 500


@router.post("/v1/domains/{domain}/episodes", response_model=EpisodeTaken, status_code=202, responses=CONFLICT)
@needs(Role.WRITE)
def report(
    domain: str, body: EpisodeReport, caller: Principal, app: App, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Report what came of a task. Durable when answered; a reflector reads it later.

    The episode's id (else the receipt's, else the Idempotency-Key) makes it one report: the same again changes nothing,
    another one under it is a conflict.
    """
    receipt = app.receipts.read(body.receipt, domain) if body.receipt else None
    own = body.episode_id or (receipt.id if receipt else idempotency_key)
    if own is None:
        raise InvalidInput("episode_id", "is missing, and there is no receipt", "Send a receipt or an id of your own")
    episode = to_episode(body, domain_id=domain, own=own, receipt=receipt, principal=caller.key_id,
                         now=app.clock.now().timestamp())  # fmt: skip
    new = app.episodes.report(episode)
    status = app.episodes.status(domain, episode.id)
    return {"domain": domain, "episode_id": episode.id, "state": status.state if status else "queued", "new": new}


@router.get("/v1/domains/{domain}/episodes", response_model=EpisodePage)
@needs(Role.READ)
def list_episodes(
    domain: str,
    app: App,
    state: EpisodeState | None = None,
    cursor: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> dict[str, Any]:
    """How far reports have come, by id, a page at a time; `state=dead` lists those that were tried in vain."""
    if "\0" in cursor:
        raise InvalidInput("cursor", "is not one of ours", "Send `next` of the page before, as it was")
    found = app.episodes.list(domain, state, limit, cursor)
    counted = {state.value: count for state, count in app.episodes.counts(domain).items()}
    following = found[-1].id if len(found) == limit else None
    return {"episodes": [_status(one) for one in found], "counts": counted, "next": following}


@router.get("/v1/domains/{domain}/episodes/{episode_id}", response_model=EpisodeOut)
@needs(Role.READ)
def one_episode(domain: str, episode_id: str, app: App) -> dict[str, Any]:
    """How far one report has come, and what its merge did."""
    found = app.episodes.status(domain, episode_id) if "\0" not in episode_id else None
    if found is None:
        raise NotFound(f"There is no episode {episode_id[:80]} in this domain.")
    return _status(found)


@router.post("/v1/domains/{domain}/episodes/{episode_id}/requeue", response_model=EpisodeOut, responses=CONFLICT)
@needs(Role.REVIEW)
def requeue(domain: str, episode_id: str, app: App) -> dict[str, Any]:
    """Give a dead episode all its attempts again."""
    if "\0" in episode_id:
        raise NotFound("There is no such episode in this domain.")
    return _status(app.episodes.requeue(domain, episode_id))


def _status(found: EpisodeStatus) -> dict[str, Any]:
    return {"episode_id": found.id, "domain": found.domain_id, "state": found.state, "attempts": found.attempts,
            "error": found.error, "result": json.loads(found.result) if found.result else None}  # fmt: skip
