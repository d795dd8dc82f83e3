"""A domain's playbook: its bullets a page at a time, found by stage, section, words in them, or by meaning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from fastapi.responses import Response

from ace.core.ports import BulletFilter
from ace.errors import InvalidInput
from ace.models.playbook import Bullet, PlaybookStage, Section
from ace.web.access import no_domain
from ace.web.pages.door import Visit, page

PAGE, NEAREST = 40, 20
Choice = TypeVar("Choice", bound=StrEnum)
FILTERS = {"stage", "section", "words", "means", "cursor"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A bullet in a list; `similarity` where it was searched by meaning."""

    bullet: Bullet
    created_at: datetime | None = None
    similarity: float | None = None


@page("/domains/{domain}", query=FILTERS)
def playbook(visit: Visit) -> Response:
    counts = visit.app.store.count_by_stage(visit.domain)
    if not visit.app.store.head(visit.domain).seq:
        raise no_domain(visit.domain)
    means = visit.asked("means", 2_000)
    items, following = (_nearest(visit, means), None) if means else _listed(visit)
    asked = {name: visit.asked(name, 2_000) or "" for name in sorted(FILTERS)}
    return visit.show("playbook.html", part="playbook", counts=counts, items=items, asked=asked,
                      following=following, link=_links(asked))  # fmt: skip


def _listed(visit: Visit) -> tuple[list[Item], str | None]:
    wanted = BulletFilter(stage=choice(visit, "stage", PlaybookStage), section=choice(visit, "section", Section),
                          text=visit.asked("words"))  # fmt: skip
    found = visit.app.store.page(visit.domain, wanted, limit=PAGE + 1, before=position(visit, "cursor"))
    items = [Item(bullet=one.bullet, created_at=one.created_at) for one in found[:PAGE]]
    return items, str(found[PAGE - 1].born_seq) if len(found) > PAGE else None


def _nearest(visit: Visit, means: str) -> list[Item]:
    stage, section = choice(visit, "stage", PlaybookStage), choice(visit, "section", Section)
    vector = visit.app.embedder.embed([means])
    (hits,) = visit.app.index.nearest(visit.domain, vector, k=NEAREST, stages=[stage] if stage else None).hits
    floor = visit.app.settings.similarity_floor
    return [Item(bullet=hit.bullet, similarity=hit.similarity) for hit in hits
            if section in (None, hit.bullet.section) and hit.similarity >= floor]  # fmt: skip


def choice(visit: Visit, name: str, kind: type[Choice]) -> Choice | None:
    """One of the kinds, as the query names it; None when it does not. Raises InvalidInput."""
    given = visit.asked(name)
    if given is not None and given not in set(kind):
        raise InvalidInput(name, f"is {given[:40]!r}", f"Give one of {', '.join(kind)}")
    return None if given is None else kind(given)


def position(visit: Visit, name: str) -> int | None:
    """A place in a list or a journal. Raises InvalidInput."""
    given = visit.asked(name, 18)
    if given is not None and not (given.isascii() and given.isdigit()):
        raise InvalidInput(name, "is not a position", "Follow a link of the page before")
    return None if given is None else int(given)


def _links(asked: dict[str, str]) -> Any:
    """`link(stage="prod")`: the address of this list with something changed, from its beginning."""

    def link(**changes: str) -> str:
        wanted = {**asked, "cursor": "", **changes}
        return "?" + urlencode({name: value for name, value in wanted.items() if value})

    return link
