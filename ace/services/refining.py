"""Grow and refine: keep a playbook free of repetition, of what nobody uses, and within its budget.

    look      compare what was not compared before with all: the index finds what is near, the second look decides
    plan      from the playbook, its journal and what was found (`ace.core.refining`)
    act       under the domain's lock, CHUNK operations a transaction; planned again when others wrote meanwhile

What was compared is kept in memory, so a process looks at a whole playbook once, and after that at what has come into
use since. A look may end early and goes on where it stopped; what it has found so far is acted on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock

from ace.core.ports import Clock, Pair, PlaybookStore, SecondLook, VectorIndex
from ace.core.refining import Rules, Situation, plan
from ace.core.similarity import Relation
from ace.core.validation import check_domain
from ace.errors import NotFound
from ace.models.plan import Operation, Relate
from ace.models.playbook import IN_USE, Bullet
from ace.models.refining import Refined
from ace.services.books import BOOKS_KEPT, Books
from ace.services.time_travel import entries_until

CHUNK = 1000
ROWS, PAIRS = 128, 1_280_000  # bullets compared at once, and with how many in all: others' searches wait so long, 10 ms
NEAR_DUPLICATE = 0.8
NEAREST, MOST = 4, 1024  # bullets asked for: as many at first, four times as many while all of them are near, up to


@dataclass(slots=True)
class _Compared:
    """The bullets of a domain that were compared with all others, and the pairs of them that say the same."""

    bullets: set[str] = field(default_factory=set)
    same: dict[tuple[str, str], float] = field(default_factory=dict)

    def limit_to(self, present: dict[str, Bullet]) -> None:
        """Forget what is no longer there."""
        self.bullets &= present.keys()
        self.same = {pair: cosine for pair, cosine in self.same.items() if present.keys() >= set(pair)}


class Refining:
    """The refinement of one store's playbooks. `unused_days`, `budget`: 0 and None switch that part off."""

    def __init__(
        self,
        store: PlaybookStore,
        index: VectorIndex,
        second_look: SecondLook,
        clock: Clock,
        *,
        books: Books | None = None,
        unused_days: float = 0.0,
        budget: int | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self._store, self._index, self._second_look, self._clock = store, index, second_look, clock
        self._books, self._chunk = books or Books(store), chunk
        self._unused_days, self._budget = unused_days, budget
        self._compared: OrderedDict[str, _Compared] = OrderedDict()
        self._lock = Lock()

    def due(self, domain_id: str) -> Refined:
        """What `refine` would do now; nothing is changed. Raises NotFound."""
        with self._lock:
            judged, complete = self._look(domain_id, lambda: True)
            planned = tuple(self._plan(domain_id)[1])
            return Refined(domain_id=domain_id, operations=planned, judged=judged, complete=complete)

    def refine(self, domain_id: str, go_on: Callable[[], bool] = lambda: True) -> Refined:
        """Do it; a bullet moves once at most. `go_on` is asked time and again whether to compare more.

        Raises NotFound.
        """
        with self._lock:
            (judged, complete), done = self._look(domain_id, go_on), list[Operation]()
            while chunk := self._act(domain_id, {_subject(one) for one in done}):
                done += chunk
            return Refined(domain_id=domain_id, operations=tuple(done), judged=judged, complete=complete)

    def _act(self, domain_id: str, moved: set[object]) -> list[Operation]:
        position, planned = self._plan(domain_id)
        if not planned:
            return []
        with self._store.transaction(domain_id) as transaction:
            if transaction.head.seq != position:
                _, planned = self._plan(domain_id)
            chunk = [one for one in planned if _subject(one) not in moved][: self._chunk]
            transaction.apply(chunk, vectors={}, now=self._clock.now())
        return chunk

    def _plan(self, domain_id: str) -> tuple[int, list[Operation]]:
        """What is to be done, and the position of the journal it follows from, unless others write meanwhile."""
        with self._books.open(domain_id) as book:
            position = book.position
            bullets = self._in_use(domain_id)
            situation = Situation(
                bullets=bullets,
                again=[one for one in self._store.get_many(domain_id, book.attic.learned_again())
                       if one.stage not in IN_USE],
                links=self._store.links(domain_id),
                same=self._compared[domain_id].same,
                used={own: book.last_used(own) for own in [*(one.id for one in bullets), *book.attic.superseded]},
                superseded=book.attic.stood_for(),
                taken_back=book.attic.taken_back,
            )  # fmt: skip
        return position, plan(situation, self._rules(domain_id, position))

    def _rules(self, domain_id: str, position: int) -> Rules:
        days, unused = self._unused_days, None
        if days > 0:
            unused = entries_until(self._store, domain_id, self._clock.now() - timedelta(days=days), position)
        return Rules(unused=unused, unused_days=days, budget=self._budget)

    def _in_use(self, domain_id: str) -> list[Bullet]:
        """Stage by stage, each oldest first."""
        return [bullet for stage in IN_USE for bullet in self._store.get_all(domain_id, stage=stage)]

    def _look(self, domain_id: str, go_on: Callable[[], bool]) -> tuple[int, bool]:
        """Compare what is new with all; how many pairs were judged, and whether that was all."""
        if self._store.head(check_domain(domain_id)).seq == 0:
            raise NotFound(f"There is no domain {domain_id}.")
        known = self._known(domain_id)
        present = {bullet.id: bullet for bullet in self._in_use(domain_id)}
        known.limit_to(present)
        new, judged = [own for own in present if own not in known.bullets], 0
        rows = max(1, min(ROWS, PAIRS // max(1, len(present))))
        for start in range(0, len(new), rows):
            if not go_on():
                return judged, False
            judged += self._compare(domain_id, new[start : start + rows], present, known)
        return judged, True

    def _known(self, domain_id: str) -> _Compared:
        known = self._compared.setdefault(domain_id, _Compared())
        self._compared.move_to_end(domain_id)
        while len(self._compared) > BOOKS_KEPT:
            self._compared.popitem(last=False)
        return known

    def _compare(self, domain_id: str, new: Sequence[str], present: dict[str, Bullet], known: _Compared) -> int:
        """Compare these with each other and with what was compared before; the rest will meet them later."""
        place, asked = {own: at for at, own in enumerate(new)}, dict[tuple[str, str], float]()
        for own, other, cosine in self._near(domain_id, new):
            if other in known.bullets or place.get(other, len(new)) < place[own]:
                asked[own, other] = cosine
        texts = [
            Pair(left=present[own].content, right=present[other].content, cosine=cosine)
            for (own, other), cosine in asked.items()
        ]
        relations = self._second_look.judge(texts)
        for (pair, cosine), relation in zip(asked.items(), relations, strict=True):
            if relation == Relation.SAME:
                known.same[pair] = cosine
        known.bullets.update(new)
        return len(asked)

    def _near(self, domain_id: str, rows: Sequence[str]) -> Iterator[tuple[str, str, float]]:
        """Each of these bullets with every one that is near it."""
        vectors, k = self._store.vectors(domain_id, rows), NEAREST
        while rows:
            found, more = self._index.nearest(domain_id, vectors, k=k, stages=IN_USE).hits, []
            for at, (own, hits) in enumerate(zip(rows, found, strict=True)):
                if len(hits) == k < MOST and hits[-1].similarity >= NEAR_DUPLICATE:
                    more.append(at)
                    continue
                near = (hit for hit in hits if hit.similarity >= NEAR_DUPLICATE and hit.bullet.id != own)
                yield from ((own, hit.bullet.id, hit.similarity) for hit in near)
            rows, vectors, k = [rows[at] for at in more], vectors[more], 4 * k


def _subject(operation: Operation) -> object:
    """What an operation is about, so that a run does nothing twice."""
    return operation.link if isinstance(operation, Relate) else getattr(operation, "bullet_id", operation)
