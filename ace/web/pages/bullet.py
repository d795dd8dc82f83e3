"""One bullet with its whole life: where it came from, what it did, who moved it and why, what it contradicts."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi.responses import Response

from ace.core.ports import Hit
from ace.core.rendering import render_bullet
from ace.core.replay import NEXT_STAGE
from ace.errors import InvalidInput, NotFound
from ace.models.access import Role
from ace.models.playbook import Bullet, PlaybookStage
from ace.services.stewardship import MAX_REASON_CHARS, Move
from ace.web.pages.door import Visit, back, page
from ace.web.pages.entries import line, texts
from ace.web.pages.playbook import position

LIFE, SIMILAR, OPPOSED = 20, 6, 6  # entries, similar ones, contradictions shown
PATH = "/domains/{domain}/bullets/{bullet_id}"


@page(PATH, query={"before", "done"})
def bullet(visit: Visit) -> Response:
    found = found_bullet(visit)
    entries = visit.app.store.history(visit.domain, found.id)
    before = position(visit, "before")
    older = [one for one in entries if before is None or one.seq < before]
    life = [line(one, found.id) for one in reversed(older[-LIFE:])]
    return visit.show(
        "bullet.html", part="playbook", bullet=found, rendered=render_bullet(found),
        life=life, texts=texts(visit.app.store, [one for one in life if one.bullet != found.id]), entries=len(entries),
        older=older[-LIFE].seq if len(older) > LIFE else None, opposed=_opposed(visit, found),
        moves=_moves(found) if visit.may(Role.REVIEW) else (), done=visit.asked("done"),
    )  # fmt: skip


@page(PATH + "/similar")
def similar(visit: Visit) -> Response:
    """The nearest by meaning, fetched after the page: the index may have to be loaded first."""
    return visit.show("similar.html", part="playbook", similar=_similar(visit, found_bullet(visit)))


@page(PATH + "/move", Role.REVIEW, method="POST")
def move(visit: Visit) -> Response:
    found, wanted = found_bullet(visit), visit.filled("move")
    if wanted not in set(Move):
        raise InvalidInput("move", f"is {wanted[:40]!r}", f"Choose one of {', '.join(Move)}")
    visit.app.stewardship.move(visit.domain, found.id, Move(wanted), visit.filled("reason", MAX_REASON_CHARS))
    return back(f"/domains/{visit.domain}/bullets/{found.id}", done=wanted)


def found_bullet(visit: Visit) -> Bullet:
    """The bullet of the address. Raises NotFound."""
    own = str(visit.request.path_params["bullet_id"])
    usable = len(own) <= 200 and own.isprintable()
    found = visit.app.store.get(visit.domain, own) if usable else None
    if found is None:
        raise NotFound(f"There is no bullet {own[:80]} in this domain.")
    return found


def _opposed(visit: Visit, found: Bullet) -> list[Bullet]:
    links = sorted((link.left, link.right) for link in visit.app.store.links(visit.domain)
                   if found.id in (link.left, link.right))  # fmt: skip
    others = [right if left == found.id else left for left, right in links]
    return visit.app.store.get_many(visit.domain, others[:OPPOSED])


def _similar(visit: Visit, found: Bullet) -> Sequence[Hit]:
    vector = visit.app.store.vectors(visit.domain, [found.id])
    (hits,) = visit.app.index.nearest(visit.domain, vector, k=SIMILAR + 1).hits
    return [hit for hit in hits if hit.bullet.id != found.id][:SIMILAR]


def _moves(found: Bullet) -> tuple[tuple[Move, str], ...]:
    """What a person may do to it now, with the words of the button."""
    if found.stage in (PlaybookStage.QUARANTINED, PlaybookStage.ARCHIVED):
        return ((Move.RESTORE, "Restore to shadow"),)
    rise = NEXT_STAGE.get(found.stage)
    up = ((Move.PROMOTE, f"Promote to {rise}"),) if rise else ()
    return (*up, (Move.QUARANTINE, "Quarantine"))
