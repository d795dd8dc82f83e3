"""The evidence on every bullet of a domain, counted from its journal: `evidence = fold(entries)`, and nothing else.

    entry         what it adds
    observe       a trial of each bullet a lot was drawn for, by the principal who reported; a task seen with the
                  playbook or held out; how often tasks of its kind succeed, which is the forecast for the next
    increment     a ballot; its verifier and its kind of task are those of the observation it was merged with
    pairs         replayed wins and losses
    promote,      the e-value a bullet has when it reaches PROD or is quarantined: it stays in its domain's family
    quarantine    with that, so that what has been decided is not forgotten
    rollback      what was counted after that position is not counted

A ballot without an observation (votes sent by hand) has no verifier, and no weight. So the same journal gives the same
evidence to whoever counts, and a decision that names the position it was made at can be made again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ace.core.attic import Attic
from ace.core.evidence import gather, helpful_e_value
from ace.core.kinds import Kinds
from ace.core.replay import NEXT_STAGE
from ace.core.trials import Stakes, Trial, after
from ace.core.voices import WEIGHTS, Ballot, Voices
from ace.core.worth import Comparison
from ace.models.evidence import Evidence, Worth
from ace.models.insight import Tag
from ace.models.journal import Entry
from ace.models.observation import Observation
from ace.models.plan import (
    Add,
    Archive,
    Increment,
    Observe,
    Operation,
    Pairs,
    Promote,
    Quarantine,
    Restore,
    operation_from_json,
)
from ace.models.playbook import Bullet
from ace.models.task import FeedbackSource

_NOBODYS = Bullet(id="", domain_id="", content="")  # an e-value does not depend on whose it is
NOBODY = "local"  # the principal of reports that came without an API key


@dataclass(slots=True)
class _Page:
    """What is known about one bullet."""

    voices: Voices = field(default_factory=Voices)
    stakes: defaultdict[str, Stakes] = field(default_factory=lambda: defaultdict(Stakes))
    wins: int = 0
    losses: int = 0
    settled: float | None = None  # the e-value it was decided with
    counted: float | None = None  # the e-value for good as it stands; None when something has come since

    def e_value(self) -> float:
        if self.counted is None:
            played = gather(_NOBODYS, wins=self.wins, losses=self.losses, stakes=self.stakes)
            self.counted = helpful_e_value(played)
        return self.counted

    def evidence(self, bullet: Bullet) -> Evidence:
        return gather(bullet, chorus=self.voices.chorus(), wins=self.wins, losses=self.losses, stakes=self.stakes)


class Book:
    """What the journal says as far as `position`."""

    def __init__(self) -> None:
        self.position = 0
        self.attic = Attic()  # what was put aside
        self._pages: defaultdict[str, _Page] = defaultdict(_Page)
        self._seen: dict[str, int] = {}  # bullet -> the last entry in which somebody used it
        self._forecasts: defaultdict[str, list[int]] = defaultdict(lambda: [1, 2])  # kind -> right, tried (Laplace)
        self._kinds, self._comparison = Kinds(), Comparison()
        self._latest: Observation | None = None

    def read(self, entries: Iterable[Entry]) -> None:
        """Carry on along the journal. Entries must not hold a rollback: see `of`."""
        for entry in entries:
            self._take(entry.seq, operation_from_json(entry.kind, entry.body))
            self.position = entry.seq

    @classmethod
    def of(cls, standing: Sequence[Entry], position: int) -> Book:
        """The book at `position`, from the entries that stand there (`ace.core.replay.standing`)."""
        book = cls()
        book.read(standing)
        book.position = position
        return book

    def known(self) -> list[str]:
        """The bullets there is any evidence on."""
        return list(self._pages)

    def evidence(self, bullet: Bullet) -> Evidence:
        """What is known about a bullet."""
        return self._pages[bullet.id].evidence(bullet) if bullet.id in self._pages else gather(bullet)

    def family(self) -> list[float]:
        """The e-values for good of all bullets that were ever tried or replayed, decided ones as they were decided."""
        return [
            page.e_value() if page.settled is None else page.settled
            for page in self._pages.values()
            if page.stakes or page.wins or page.losses
        ]

    def last_used(self, bullet_id: str) -> int:
        """The last entry in which the bullet was added, shown, voted on or moved; 0 for none."""
        return self._seen.get(bullet_id, 0)

    def worth(self) -> Worth:
        """What the playbook is worth, by the tasks that were held out by lot."""
        return self._comparison.worth()

    def _take(self, seq: int, operation: Operation) -> None:
        self.attic.take(operation)
        match operation:
            case Observe(observation=observation):
                self._observe(seq, observation)
            case Increment():
                self._hear(operation)
            case Pairs(bullet_id=own, wins=wins, losses=losses):
                self._pages[own].wins += wins
                self._pages[own].losses += losses
                self._pages[own].counted = None
            case Promote(bullet_id=own, to=to) if to not in NEXT_STAGE:
                self._settle(own)
            case Quarantine(bullet_id=own):
                self._settle(own)
            case _:
                pass
        match operation:
            case Add(bullet=bullet):
                self._seen[bullet.id] = seq
            case Increment() | Pairs() | Promote() | Archive() | Restore():
                self._seen[operation.bullet_id] = seq
            case _:
                pass

    def _observe(self, seq: int, seen: Observation) -> None:
        self._latest = seen
        self._seen.update({lot.bullet_id: seq for lot in seen.lots if lot.shown})
        if seen.success is None or seen.position is None:
            return
        if 0.0 < seen.holdout < 1.0:
            self._comparison.add(held_out=seen.held_out, holdout=seen.holdout, success=seen.success)
        forecast = self._forecasts[self._kinds.of(seen.kind)]
        for lot in seen.lots:
            if 0.0 < lot.chance < 1.0:
                trial = Trial(shown=lot.shown, probability=lot.chance, success=seen.success,
                              expected=forecast[0] / forecast[1], weight=WEIGHTS[seen.source])  # fmt: skip
                page, who = self._pages[lot.bullet_id], seen.principal or NOBODY
                page.stakes[who], page.counted = after(page.stakes[who], trial), None
        forecast[0] += seen.success
        forecast[1] += 1

    def _hear(self, vote: Increment) -> None:
        seen = self._latest if self._latest and self._latest.episode_id == vote.episode_id else None
        ballot = Ballot(
            episode_id=vote.episode_id,
            principal=vote.principal or NOBODY,
            cluster=self._kinds.of(seen.kind if seen else None),
            tag=Tag.HELPFUL if vote.helpful else Tag.HARMFUL,
            source=seen.source if seen else FeedbackSource.NONE,
        )
        self._pages[vote.bullet_id].voices.hear(ballot)

    def _settle(self, bullet_id: str) -> None:
        if bullet_id in self._pages and self._pages[bullet_id].settled is None:
            self._pages[bullet_id].settled = self._pages[bullet_id].e_value()
