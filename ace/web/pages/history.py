"""Time travel: the journal, the playbook as it was at any position, what lies between two, releases, the way back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from fastapi.responses import Response

from ace.core.differences import difference
from ace.core.replay import State
from ace.errors import Conflict, InvalidInput
from ace.models.access import Role
from ace.models.difference import KINDS, MOVES, Difference
from ace.models.playbook import Bullet, PlaybookStage
from ace.services.releases import MAX_NOTE_CHARS
from ace.services.stewardship import MAX_REASON_CHARS
from ace.web.access import no_domain
from ace.web.pages.door import Visit, back, page
from ace.web.pages.entries import line, texts
from ace.web.pages.playbook import position

ENTRIES, BESIDE, BULLETS, CHANGES = 25, 8, 12, 6
SLOW = 50_000  # entries; a look back replays them
BASE = "/domains/{domain}/history"


@dataclass(frozen=True, kw_only=True, slots=True)
class Then:
    """The playbook at a position, and how the one at `beside` differs from it."""

    position: int
    at: datetime | None
    counts: dict[PlaybookStage, int]
    bullets: list[Bullet]
    beside: int
    change: Difference


@page(BASE, query={"at", "beside", "before", "done"})
def history(visit: Visit) -> Response:
    head = _head(visit)
    asked, beside, before = (position(visit, name) for name in ("at", "beside", "before"))
    beside, at = head if beside is None else beside, head if asked is None else asked
    end = min(before - 1, head) if before else head
    most = ENTRIES if asked is None else BESIDE
    entries = visit.app.store.entries(visit.domain, after=max(0, end - most), limit=min(most, max(end, 0)))
    lines = [line(one) for one in reversed(entries)]
    return visit.show(
        "history.html", part="history", head=head, at=at, beside=beside,
        then=None if asked is None else _then(visit, at, beside, head),
        entries=lines, texts=texts(visit.app.store, lines), older=entries[0].seq if end > most else None,
        releases=list(reversed(visit.app.releases.list(visit.domain))), changes=CHANGES, moves=MOVES, kinds=KINDS,
        done=visit.asked("done"), slow=head > SLOW,
    )  # fmt: skip


@page("/domains/{domain}/releases", Role.REVIEW, method="POST")
def release(visit: Visit) -> Response:
    """Name the playbook as it is now."""
    visit.app.releases.create(visit.domain, visit.filled("release", 100), visit.filled("note", MAX_NOTE_CHARS))
    return back(f"/domains/{visit.domain}/history", done="released")


@page("/domains/{domain}/rollback", Role.REVIEW, query={"to"})
def preview(visit: Visit) -> Response:
    """What a rollback would change; nothing does yet."""
    head = _head(visit)
    to = _within(visit.asked("to", 18), head, "to")
    change = difference(_state(visit, head, head), _state(visit, to, head), start=head, end=to)
    return visit.show("rollback.html", part="history", to=to, head=head, changes=CHANGES, moves=MOVES, kinds=KINDS,
                      change=change)  # fmt: skip


@page("/domains/{domain}/rollback", Role.REVIEW, method="POST")
def roll_back(visit: Visit) -> Response:
    """Do it, if the playbook is still the one whose preview was seen."""
    head, seen = _head(visit), visit.filled("seen", 18)
    if str(head) != seen:
        raise Conflict("The playbook has changed since the preview. Go back, and look at the preview again.")
    to = _within(visit.filled("to", 18), head, "to")
    visit.app.rollbacks.roll_back(visit.domain, str(to), visit.filled("reason", MAX_REASON_CHARS))
    return back(f"/domains/{visit.domain}/history", done="rolled back")


def _then(visit: Visit, at: int, beside: int, head: int) -> Then:
    """Raises InvalidInput for positions the journal does not have."""
    _within(str(at), head, "at"), _within(str(beside), head, "beside")
    store, state = visit.app.store, _state(visit, at, head)
    other = state if at == beside else _state(visit, beside, head)
    entry = store.entries(visit.domain, after=at - 1, limit=1) if at else []
    return Then(
        position=at, at=entry[0].at if entry else None, counts=_counted(state), beside=beside,
        bullets=list(reversed(state.bullets.values()))[:BULLETS],
        change=difference(state, other, start=at, end=beside),
    )  # fmt: skip


def _state(visit: Visit, position: int, head: int) -> State:
    """The playbook after that many entries; what it is now need not be replayed."""
    travel = visit.app.travel
    return travel.now(visit.domain) if position == head else travel.state(visit.domain, position)


def _counted(state: State) -> dict[PlaybookStage, int]:
    found = Counter(bullet.stage for bullet in state.bullets.values())
    return {stage: found[stage] for stage in PlaybookStage}


def _head(visit: Visit) -> int:
    head = visit.app.store.head(visit.domain).seq
    if not head:
        raise no_domain(visit.domain)
    return head


def _within(given: str | None, head: int, name: str) -> int:
    if given is None or not (given.isascii() and given.isdigit()) or int(given) > head:
        raise InvalidInput(name, f"is not a position of this journal: {given or 'none'}", f"Give 0 to {head}")
    return int(given)
