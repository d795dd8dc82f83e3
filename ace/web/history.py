"""The playbook as it was; releases; the way back; purges by origin."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from ace.bootstrap import App
from ace.models.access import Role
from ace.models.playbook import PlaybookStage
from ace.models.purge import Suspect
from ace.web.access import needs
from ace.web.bullets import bullet_out
from ace.web.context import IdempotencyKey, http_key
from ace.web.described import CONFLICT
from ace.web.history_schemas import (
    DifferenceOut,
    GuardrailOut,
    PastOut,
    PurgedOut,
    PurgeRequest,
    ReleaseOut,
    ReleaseRequest,
    RollbackOut,
    RollbackRequest,
)

router = APIRouter(tags=["history"])
MAX_PAGE = 1000
WHEN = "a position (120), a time (2026-11-25T10:00:00Z), release:NAME or head"

When = Annotated[str, Query(min_length=1, max_length=120, description=WHEN)]


@router.get("/v1/domains/{domain}/playbook", response_model=PastOut, responses=CONFLICT)
@needs(Role.READ)
def playbook(
    domain: str,
    app: App,
    as_of: When = "head",
    stage: PlaybookStage | None = None,
    offset: Annotated[int, Query(ge=0, le=10**9, description="`next` of the page before")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 500,
) -> dict[str, Any]:
    """The bullets as they were, oldest first, a page at a time; ask for further pages by `position`."""
    past = app.travel.as_of(domain, as_of)
    chosen = [bullet for bullet in past.state.bullets.values() if stage in (None, bullet.stage)]
    following = offset + limit if offset + limit < len(chosen) else None
    shown = [bullet_out(bullet) for bullet in chosen[offset : offset + limit]]
    return {"domain": domain, "position": past.position, "total": len(chosen), "bullets": shown, "next": following}


@router.get("/v1/domains/{domain}/diff", response_model=DifferenceOut, responses=CONFLICT)
@needs(Role.READ)
def diff(
    domain: str,
    app: App,
    start: Annotated[str, Query(alias="from", min_length=1, max_length=120, description=WHEN)] = "0",
    end: Annotated[str, Query(alias="to", min_length=1, max_length=120, description=WHEN)] = "head",
) -> dict[str, Any]:
    """What has to happen to the playbook at `from` to become the one at `to`."""
    return app.travel.difference(domain, start, end).to_json()


@router.get("/v1/domains/{domain}/releases", response_model=list[ReleaseOut])
@needs(Role.READ)
def releases(domain: str, app: App) -> list[dict[str, Any]]:
    """The named positions, oldest first."""
    return [release.to_json() for release in app.releases.list(domain)]


@router.post("/v1/domains/{domain}/releases", response_model=ReleaseOut, status_code=201, responses=CONFLICT)
@needs(Role.REVIEW)
def create_release(domain: str, body: ReleaseRequest, app: App) -> dict[str, Any]:
    """Name the playbook as it is now. Doing it again changes nothing; once the journal has moved, it is a conflict."""
    return app.releases.create(domain, body.name, body.note).to_json()


@router.get("/v1/domains/{domain}/guardrail", response_model=GuardrailOut)
@needs(Role.READ)
def guardrail(domain: str, app: App) -> dict[str, Any]:
    """The current release beside the one before, and what the next run of the stage manager would do about it."""
    return app.guarding.look(domain).to_json()


@router.post("/v1/domains/{domain}/rollback", response_model=RollbackOut, responses=CONFLICT)
@needs(Role.REVIEW)
def rollback(domain: str, body: RollbackRequest, app: App, idempotency_key: IdempotencyKey = None) -> dict[str, Any]:
    """Make the playbook what it was; `dry_run` only tells the difference. Readers go on meanwhile.

    What it did is told by `diff` from the position before its own to `to`.
    """
    if body.dry_run:
        found = app.rollbacks.preview(domain, body.to)
        return {"dry_run": True, "to": found.end, "position": None, "difference": found.to_json()}
    done = app.rollbacks.roll_back(domain, body.to, body.reason, key=http_key(idempotency_key))
    return {"dry_run": False, **done.to_json(), "difference": None}


@router.post("/v1/domains/{domain}/purge", response_model=PurgedOut)
@needs(Role.ADMIN)
def purge(domain: str, body: PurgeRequest, app: App) -> Any:
    """Quarantine every bullet that came from one place, and those learned through them. Again: nothing more."""
    suspect = Suspect(episode=body.episode, principal=body.principal, model=body.model, source=body.source)
    if body.dry_run:
        return app.purge.preview(domain, suspect).to_json()
    return app.purge.purge(domain, suspect, body.reason).to_json()
