"""See bullets, find them, one, its history; move one by hand."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from ace.bootstrap import App
from ace.core.journal import entry_to_json, timestamp
from ace.core.ports import BulletFilter
from ace.core.validation import check_text
from ace.errors import InvalidInput, NotFound
from ace.models.access import Role
from ace.models.playbook import Bullet, PlaybookStage, Section, normalise
from ace.services.stewardship import Move
from ace.web.access import needs
from ace.web.context import IdempotencyKey, http_key
from ace.web.described import CONFLICT
from ace.web.schemas import BulletOut, BulletPage, EntryOut, MoveRequest, OneBullet, SearchOut

router = APIRouter(tags=["bullets"])
MAX_PAGE = 500
CURSOR: dict[str, Any] = {"pattern": "^[0-9]{1,18}$"}


@router.get("/v1/domains/{domain}/bullets", response_model=BulletPage)
@needs(Role.READ)
def list_bullets(
    domain: str,
    app: App,
    stage: PlaybookStage | None = None,
    section: Section | None = None,
    contains: Annotated[str | None, Query(min_length=1, max_length=200, description="text in the content")] = None,
    cursor: Annotated[str | None, Query(description="`next` of the page before", json_schema_extra=CURSOR)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> dict[str, Any]:
    """Bullets, the newest first, a page at a time."""
    wanted = BulletFilter(stage=stage, section=section, text=_storable(contains))
    found = app.store.page(domain, wanted, limit=limit, before=_position(cursor))
    listed = [
        {**bullet_out(one.bullet), "born_at_position": one.born_seq, "created_at": timestamp(one.created_at)}
        for one in found
    ]
    return {"bullets": listed, "next": str(found[-1].born_seq) if len(found) == limit else None}


@router.get("/v1/domains/{domain}/search", response_model=SearchOut)
@needs(Role.READ)
def search(
    domain: str,
    app: App,
    query: Annotated[
        str, Query(max_length=2000, description="what they should be about; nothing is found without")
    ] = "",
    stage: PlaybookStage | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 10,
) -> dict[str, Any]:
    """The bullets nearest in meaning, of every stage. Nothing is drawn and no receipt is given: this is for looking."""
    if not normalise(query):
        return {"bullets": []}
    stages = None if stage is None else {stage}
    vector = app.embedder.embed([check_text("query", query)])
    hits = app.index.nearest(domain, vector, k=limit, stages=stages).hits[0]
    return {"bullets": [{**bullet_out(hit.bullet), "similarity": round(hit.similarity, 4)} for hit in hits]}


@router.get("/v1/domains/{domain}/bullets/{bullet_id}", response_model=OneBullet)
@needs(Role.READ)
def one_bullet(domain: str, bullet_id: str, app: App) -> dict[str, Any]:
    """One bullet as it is now."""
    bullet = _found(app, domain, bullet_id)
    return {**bullet_out(bullet), "superseded_by": app.stewardship.superseded_by(bullet)}


@router.get("/v1/domains/{domain}/bullets/{bullet_id}/history", response_model=list[EntryOut])
@needs(Role.READ)
def history(domain: str, bullet_id: str, app: App) -> list[dict[str, Any]]:
    """All that the journal says of one bullet, and the rollbacks, in order."""
    found = app.store.history(domain, name(bullet_id))
    if not any(one.kind == "add" for one in found):
        raise _missing(bullet_id)
    return [entry_to_json(one) for one in found]


def _moving(move: Move) -> Any:
    @needs(Role.REVIEW)
    def moved(
        domain: str, bullet_id: str, body: MoveRequest, app: App, idempotency_key: IdempotencyKey = None
    ) -> dict[str, Any]:
        found = app.stewardship.move(domain, name(bullet_id), move, body.reason, key=http_key(idempotency_key))
        return bullet_out(found)

    return moved


WORDS = {
    Move.PROMOTE: "Raise a bullet one stage.",
    Move.QUARANTINE: "Take a bullet out of use, from any stage.",
    Move.ARCHIVE: "Put a bullet aside, out of use without blame.",
    Move.RESTORE: "Take a bullet out of quarantine or the archive, back to shadow.",
}
for each in Move:
    path = f"/v1/domains/{{domain}}/bullets/{{bullet_id}}/{each.value}"
    router.post(path, response_model=BulletOut, responses=CONFLICT, summary=WORDS[each], name=f"{each.value}_bullet")(
        _moving(each)
    )


def bullet_out(bullet: Bullet) -> dict[str, Any]:
    """A bullet as the interface shows it."""
    shown = bullet.to_json()
    return {"domain": shown.pop("domain_id"), **shown}


def _found(app: App, domain: str, bullet_id: str) -> Bullet:
    bullet = app.store.get(domain, name(bullet_id))
    if bullet is None:
        raise _missing(bullet_id)
    return bullet


def _missing(bullet_id: str) -> NotFound:
    return NotFound(f"There is no bullet {bullet_id[:80]} in this domain.")


def name(bullet_id: str) -> str:
    """The id itself. Raises NotFound for what cannot be one."""
    if len(bullet_id) > 200 or "\0" in bullet_id or not bullet_id.isprintable():
        raise _missing(bullet_id)
    return bullet_id


def _storable(text: str | None) -> str | None:
    if text is not None and "\0" in text:
        raise InvalidInput("contains", "holds a NUL", "Send it without")
    return text


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidInput("cursor", "is not one of ours", "Send `next` of the page before, as it was")
    return int(cursor)
