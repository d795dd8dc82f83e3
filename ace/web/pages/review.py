"""What waits for a person, one at a time, with the trace it came from; made for the keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import Response

from ace.core.validation import MAX_ADVICE_CHARS
from ace.models.access import Role
from ace.models.playbook import Bullet
from ace.models.review import ReviewItem, ReviewState
from ace.services.review import MAX_REASON_CHARS
from ace.web.pages.door import Visit, back, page
from ace.web.pages.episodes import reported

IN_VIEW = 200  # waiting ones among which one can go back
QUEUE = "/domains/{domain}/review"
ITEM = QUEUE + "/{item_id}"
CONTRADICTS = "contradicts: "


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an item stands among those that wait; empty when there is none on that side."""

    number: int = 0
    waiting: int = 0
    before: str = ""
    after: str = ""


@page(QUEUE, Role.REVIEW, query={"done", "was"})
def queue(visit: Visit) -> Response:
    """The one that has waited longest."""
    first = visit.app.reviews.list(visit.domain, ReviewState.WAITING, limit=1)
    if first:
        return _show(visit, first[0])
    counts = visit.app.reviews.counts(visit.domain)
    return visit.show("review_empty.html", part="review", counts=counts, **_done(visit))


@page(ITEM, Role.REVIEW, query={"done", "was"})
def item(visit: Visit) -> Response:
    return _show(visit, visit.app.reviews.get(visit.domain, _own(visit)))


@page(ITEM + "/approve", Role.REVIEW, method="POST")
def approve(visit: Visit) -> Response:
    """Merge it, in other words where the form has some."""
    content = visit.filled("content", MAX_ADVICE_CHARS) if "content" in visit.form else None
    visit.app.reviews.approve(visit.domain, _own(visit), by=visit.by, content=content)
    return _onward(visit, "approved")


@page(ITEM + "/reject", Role.REVIEW, method="POST")
def reject(visit: Visit) -> Response:
    visit.app.reviews.reject(visit.domain, _own(visit), visit.filled("reason", MAX_REASON_CHARS), by=visit.by)
    return _onward(visit, "rejected")


@page(ITEM + "/reopen", Role.REVIEW, method="POST")
def reopen(visit: Visit) -> Response:
    """Take a rejection back: it waits again."""
    visit.app.reviews.reopen(visit.domain, _own(visit), visit.filled("reason", MAX_REASON_CHARS), by=visit.by)
    return back(f"/domains/{visit.domain}/review/{_own(visit)}", done="taken back")


def _show(visit: Visit, found: ReviewItem) -> Response:
    return visit.show(
        "review.html", part="review", item=found, place=_place(visit, found), opposed=_opposed(visit, found),
        episode=reported(visit, found.episode_id), most=MAX_ADVICE_CHARS, **_done(visit),
    )  # fmt: skip


def _onward(visit: Visit, done: str) -> Response:
    """To the next that waits, the first when this was the last."""
    own, queue = _own(visit), f"/domains/{visit.domain}/review"
    following = visit.app.reviews.list(visit.domain, ReviewState.WAITING, limit=1, after=own)
    return back(f"{queue}/{following[0].id}" if following else queue, done=done, was=own)


def _place(visit: Visit, found: ReviewItem) -> Place:
    waiting: Sequence[ReviewItem] = visit.app.reviews.list(visit.domain, ReviewState.WAITING, limit=IN_VIEW)
    count = visit.app.reviews.counts(visit.domain)[ReviewState.WAITING]
    ids = [one.id for one in waiting]
    if found.id not in ids:
        following = visit.app.reviews.list(visit.domain, ReviewState.WAITING, limit=1, after=found.id)
        return Place(waiting=count, after=following[0].id if following else "")
    at = ids.index(found.id)
    return Place(number=at + 1, waiting=count, before=ids[at - 1] if at else "",
                 after=ids[at + 1] if at + 1 < len(ids) else "")  # fmt: skip


def _opposed(visit: Visit, found: ReviewItem) -> list[Bullet]:
    """The bullets that its reasons say it contradicts."""
    ids = [reason.removeprefix(CONTRADICTS) for reason in found.reasons if reason.startswith(CONTRADICTS)]
    return visit.app.store.get_many(visit.domain, ids[:5])


def _own(visit: Visit) -> str:
    return str(visit.request.path_params["item_id"])


def _done(visit: Visit) -> dict[str, Any]:
    return {"done": visit.asked("done"), "was": visit.asked("was")}
