"""The first page: the domains, what waits, what is broken, what was decided lately; live while looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.responses import Response

from ace.models.access import Role
from ace.models.episode import EpisodeState
from ace.models.journal import Entry
from ace.models.playbook import PlaybookStage
from ace.models.review import ReviewState
from ace.models.usage import Spent
from ace.utils.llm_circuit_breaker import get_llm_breaker_metrics
from ace.web.pages.door import Visit, page
from ace.web.pages.entries import Line, decisions, texts

SHOWN = 25  # domains, the largest first
LOOKED_AT = 8  # domains whose latest entries are read
LATEST, DECIDED = 150, 8  # entries read per domain; decisions shown


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One domain in figures."""

    name: str
    bullets: Mapping[PlaybookStage, int]
    position: int
    waiting: int
    queued: int
    dead: int
    spent: Spent  # on language models, today

    @property
    def total(self) -> int:
        return sum(self.bullets.values())


@page("/", query={"find"})
def overview(visit: Visit) -> Response:
    """All of it, with the live part in its place."""
    return visit.show("overview.html", part="overview", **_live(visit))


@page("/live", query={"find"})
def live(visit: Visit) -> Response:
    """The part that changes."""
    return visit.show("overview_live.html", **_live(visit))


def _live(visit: Visit) -> dict[str, Any]:
    find = visit.asked("find", 64) or ""
    counted = {own: stages for own, stages in visit.app.store.counts().items() if visit.caller.sees(own)}
    found = sorted((own for own in counted if find in own), key=lambda own: (-sum(counted[own].values()), own))
    rows = [_row(visit, own, counted[own]) for own in found[:SHOWN]]
    decided = _decided(visit, rows)
    return {
        "find": find, "rows": rows, "domains": len(counted), "found": len(found), "decided": decided,
        "bullets": _summed(counted.values(), PlaybookStage), "queue": _queue(visit),
        "waiting": _waiting(visit), "breakers": get_llm_breaker_metrics(),
        "texts": texts(visit.app.store, decided), "spent": sum((row.spent for row in rows), Spent()),
    }  # fmt: skip


def _row(visit: Visit, domain: str, bullets: Mapping[PlaybookStage, int]) -> Row:
    queue = visit.app.episodes.counts(domain)
    waiting = visit.app.reviews.counts(domain)[ReviewState.WAITING] if visit.may(Role.REVIEW) else 0
    queued, position = queue[EpisodeState.QUEUED] + queue[EpisodeState.LEASED], visit.app.store.head(domain).seq
    return Row(name=domain, bullets=bullets, position=position, waiting=waiting, queued=queued,
               dead=queue[EpisodeState.DEAD], spent=visit.app.budgets.today(domain).spent)  # fmt: skip


def _summed(counted: Any, kinds: Any) -> dict[Any, int]:
    listed = list(counted)
    return {kind: sum(one.get(kind, 0) for one in listed) for kind in kinds}


def _queue(visit: Visit) -> dict[EpisodeState, int]:
    counts = visit.app.episodes.counts
    if visit.caller.domains is None:
        return counts()
    return _summed((counts(own) for own in visit.caller.domains), EpisodeState)


def _waiting(visit: Visit) -> int | None:
    """What waits for a person; None for those who may not see it."""
    if not visit.may(Role.REVIEW):
        return None
    counts = visit.app.review_queue.counts
    own = [counts()] if visit.caller.domains is None else [counts(one) for one in visit.caller.domains]
    return sum(one[ReviewState.WAITING] for one in own)


def _decided(visit: Visit, rows: list[Row]) -> list[Line]:
    read, latest = visit.app.store.entries, list[Entry]()
    for row in rows[:LOOKED_AT]:
        latest += read(row.name, after=max(0, row.position - LATEST), limit=LATEST)
    return decisions(latest)[:DECIDED]
