"""Take in what happened to an agent; say how far each report has come."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ace.bootstrap import App
from ace.core.validation import check_text
from ace.errors import InvalidInput, NotFound
from ace.models.access import Principal, Role
from ace.models.episode import Episode, EpisodeState, EpisodeStatus
from ace.models.receipt import Receipt
from ace.models.task import Feedback, FeedbackSource, Step, Task, Trajectory
from ace.web.access import needs
from ace.web.context import IdempotencyKey
from ace.web.described import CONFLICT
from ace.web.schemas import EpisodeOut, EpisodePage, EpisodeReport, EpisodeTaken

router = APIRouter(tags=["episodes"])
MAX_PAGE = 500
VERIFIERS = {
    "exact_match": FeedbackSource.GROUND_TRUTH,
    "test": FeedbackSource.TESTS,
    "human": FeedbackSource.HUMAN,
    "error": FeedbackSource.ERROR,
    "environment": FeedbackSource.ENVIRONMENT,
    "llm_judge": FeedbackSource.JUDGE,
}
"""Who says whether the answer was right, in the words of the interface."""


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
    episode = _episode(domain, own, body, receipt, caller, app.clock.now().timestamp())
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


def _episode(
    domain: str, own: str | None, body: EpisodeReport, receipt: Receipt | None, caller: Principal, now: float
) -> Episode:
    if own is None:
        raise InvalidInput("episode_id", "is missing, and there is no receipt", "Send a receipt or an id of your own")
    check_text("task", body.task, limit=len(body.task))
    outcome = body.outcome
    if outcome.correct is not None and outcome.verifier is None:
        raise InvalidInput("outcome.verifier", "is missing", f"Say who verified: {', '.join(VERIFIERS)}")
    source = VERIFIERS[outcome.verifier] if outcome.verifier else FeedbackSource.NONE
    task = Task(id=body.task_id or own, question=body.task, context=body.context, ground_truth=outcome.expected)
    trajectory = Trajectory(
        task_id=task.id,
        episode_id=own,
        answer=body.answer,
        reasoning=body.reasoning,
        cited=tuple(body.cited),
        shown=receipt.shown if receipt else (),
        steps=tuple(Step(**step.model_dump()) for step in body.trace),
        latency_s=body.latency_s,
        error=body.error,
    )
    feedback = Feedback(correct=outcome.correct, source=source, expected=outcome.expected, detail=outcome.detail)
    return Episode(id=own, domain_id=domain, task=task, trajectory=trajectory, feedback=feedback,
                   principal=caller.key_id, reported_at=now, receipt=receipt)  # fmt: skip


def _status(found: EpisodeStatus) -> dict[str, Any]:
    return {"episode_id": found.id, "domain": found.domain_id, "state": found.state, "attempts": found.attempts,
            "error": found.error, "result": json.loads(found.result) if found.result else None}  # fmt: skip
