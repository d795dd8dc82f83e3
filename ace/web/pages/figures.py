"""A domain in figures: how many bullets rose how far, and how the playbook grew. Counted from the journal, once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from fastapi.responses import Response

from ace.core.ports import PlaybookStore
from ace.models.journal import GENESIS, Entry
from ace.models.playbook import PlaybookStage
from ace.web.access import no_domain
from ace.web.pages.chart import Chart, Kind, thinned
from ace.web.pages.door import Visit, page

AT_ONCE, PER_VISIT = 5_000, 30_000  # entries read at once, and for one visit: the page must answer in time
POINTS = 400


@dataclass(slots=True)
class Tally:
    """What the journal's first `seq` entries say. `growth`: position, bullets ever learned, votes."""

    seq: int = 0
    hash: str = GENESIS
    added: int = 0
    votes: int = 0
    risen: dict[str, set[str]] = field(default_factory=dict)
    quarantined: set[str] = field(default_factory=set)
    growth: list[tuple[int, int, int]] = field(default_factory=list)

    def count(self, entry: Entry) -> None:
        """One entry more."""
        self.seq, self.hash = entry.seq, entry.hash
        own = str(entry.body.get("bullet_id", ""))
        match entry.kind:
            case "add":
                self.added += 1
            case "increment":
                self.votes += 1
            case "promote":
                self.risen.setdefault(str(entry.body.get("to")), set()).add(own)
            case "quarantine":
                self.quarantined.add(own)

    def mark(self) -> None:
        """Remember where the lines are now; every second mark is forgotten when there are too many."""
        self.growth.append((self.seq, self.added, self.votes))
        if len(self.growth) > POINTS:
            self.growth = self.growth[1::2]


class Tallies:
    """The tally of each domain as far as it was counted in this process; entries are read once."""

    def __init__(self) -> None:
        self._known: dict[str, Tally] = {}
        self._lock = threading.Lock()

    def upto(self, store: PlaybookStore, domain: str, head: int) -> Tally:
        """Counted on, to the head where it is not too far."""
        with self._lock:
            tally = self._known.setdefault(domain, Tally())
            if not _follows(store, domain, tally):
                tally = self._known[domain] = Tally()
            step = max(1, min(AT_ONCE, head // 100))
            for _ in range(max(1, PER_VISIT // step)):
                entries = store.entries(domain, after=tally.seq, limit=step)
                for entry in entries:
                    tally.count(entry)
                if entries:
                    tally.mark()
                if len(entries) < step:
                    break
            return tally


_TALLIES = Tallies()


@page("/domains/{domain}/figures")
def figures(visit: Visit) -> Response:
    head = visit.app.store.head(visit.domain).seq
    if not head:
        raise no_domain(visit.domain)
    tally = _TALLIES.upto(visit.app.store, visit.domain, head)
    charts = [_funnel(tally), _growth(tally)]
    return visit.show("figures.html", part="figures", charts=charts, counted=tally.seq, head=head)


def _follows(store: PlaybookStore, domain: str, tally: Tally) -> bool:
    """Is the journal still the one that was counted?"""
    last = store.entries(domain, after=tally.seq - 1, limit=1) if tally.seq else []
    return tally.seq == 0 or [entry.hash for entry in last] == [tally.hash]


def _funnel(tally: Tally) -> Chart:
    reached = [len(tally.risen.get(stage, ())) for stage in (PlaybookStage.STAGING, PlaybookStage.PROD)]
    rows = (("learned", tally.added), ("reached staging", reached[0]), ("reached prod", reached[1]),
            ("ever quarantined", len(tally.quarantined)))  # fmt: skip
    return Chart(
        name="funnel", title="Promotion", kind=Kind.BARS, head=("step", "bullets"), rows=rows,
        says=f"Of {tally.added:,} bullets ever learned, {reached[0]:,} reached staging and {reached[1]:,} prod; "
             f"{len(tally.quarantined):,} ever quarantined.",
    )  # fmt: skip


def _growth(tally: Tally) -> Chart:
    return Chart(
        name="growth", title="Growth", kind=Kind.LINES, head=("journal position", "bullets learned", "votes"),
        rows=thinned([(0, 0, 0), *tally.growth]),
        says=f"{tally.added:,} bullets and {tally.votes:,} votes in {tally.seq:,} journal entries.",
    )  # fmt: skip
