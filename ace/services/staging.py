"""Move the bullets of a domain to the stage their evidence has earned.

    policy      what may have to move
    fixed       the bullets whose counters have reached a gate, or speak against them
    evidence    the same, and those whose e-value for harm has reached its bar

What may have to move is read before the domain is held, and decided again under its lock from the evidence as it is
then. A bullet takes one step a run. The domain is held for at most CHUNK moves at a time, each time in one
transaction, so that learning goes on beside a run that moves a hundred thousand bullets. Each decision goes into the
journal with the case it was made from (`ace.core.evidence.redecide` makes it again); by evidence that names the
position whose journal gives this evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ace.core import gates
from ace.core.book import Book
from ace.core.evidence import Ruling, family, gather, harmful_e_value, rule
from ace.core.gates import Gates, Verdict
from ace.core.ports import Clock, PlaybookStore
from ace.models.evidence import Bars, Family, Policy
from ace.models.playbook import IN_USE, Bullet, PlaybookStage
from ace.models.staging import Advance, Move
from ace.services.books import Books

CHUNK = 1000
NEVER = 2**31 - 1  # more votes than a counter holds: nothing rises from a stage without a gate


class Staging:
    """The stage manager's decisions in one store."""

    def __init__(
        self,
        store: PlaybookStore,
        clock: Clock,
        *,
        levels: Gates,
        books: Books | None = None,
        policy: Policy = Policy.FIXED,
        bars: Bars | None = None,
    ) -> None:
        self._store, self._clock, self._levels = store, clock, levels
        self._books, self._policy, self._bars = books or Books(store), policy, bars or Bars()

    def due(self, domain_id: str) -> Advance:
        """What `advance` would do now; nothing is changed."""
        return Advance(domain_id=domain_id, moves=tuple(_moves(self._rule(domain_id, self._ripe(domain_id)))))

    def advance(self, domain_id: str) -> Advance:
        """Promote and quarantine once, one step per bullet; what was done."""
        ripe = self._ripe(domain_id)
        chunks = (ripe[start : start + CHUNK] for start in range(0, len(ripe), CHUNK))
        return Advance(
            domain_id=domain_id, moves=tuple(move for chunk in chunks for move in self._move(domain_id, chunk))
        )

    def _ripe(self, domain_id: str) -> list[Bullet]:
        by_counters = [bullet for stage in IN_USE for bullet in self._ripe_in(domain_id, stage)]
        return by_counters + self._harming(domain_id, {bullet.id for bullet in by_counters})

    def _ripe_in(self, domain_id: str, stage: PlaybookStage) -> list[Bullet]:
        gate = self._levels.get(stage)
        helpful_min, ratio_min = (gate.helpful_min, gate.ratio_min) if gate else (NEVER, 0.0)
        return self._store.ripe(domain_id, stage=stage, helpful_min=helpful_min, ratio_min=ratio_min)

    def _harming(self, domain_id: str, others: set[str]) -> list[Bullet]:
        """The bullets in use whose harm is shown, though their counters do not say so."""
        if self._policy == Policy.FIXED:
            return []
        with self._books.open(domain_id) as book:
            known = self._store.get_many(domain_id, [own for own in book.known() if own not in others])
            return [b for b in known if b.stage in IN_USE and harmful_e_value(book.evidence(b)) >= self._bars.harm]

    def _move(self, domain_id: str, candidates: Sequence[Bullet]) -> list[Move]:
        """The moves of these candidates that are still due once the domain is held, and of none that has moved."""
        with self._store.transaction(domain_id) as transaction:
            present = transaction.present([bullet.id for bullet in candidates])
            unmoved = [present[b.id] for b in candidates if b.id in present and present[b.id].stage == b.stage]
            made = _moves(self._rule(domain_id, unmoved))
            transaction.apply([move.operation for move in made], vectors={}, now=self._clock.now())
        return made

    def _rule(self, domain_id: str, bullets: Sequence[Bullet]) -> list[tuple[Ruling, Mapping[str, Any]]]:
        """The rulings, and what the journal is to say of each."""
        if self._policy == Policy.FIXED:
            ruled = rule(
                map(gather, bullets), policy=self._policy, levels=self._levels, bars=self._bars, among=Family()
            )
            return [(one, one.to_json()) for one in ruled]
        with self._books.open(domain_id) as book:
            return [(one, one.to_json() | {"position": book.position}) for one in self._by_evidence(book, bullets)]

    def _by_evidence(self, book: Book, bullets: Sequence[Bullet]) -> list[Ruling]:
        among = family(book.family(), self._bars)
        records = map(book.evidence, bullets)
        return rule(records, policy=self._policy, levels=self._levels, bars=self._bars, among=among)


def _moves(ruled: Sequence[tuple[Ruling, Mapping[str, Any]]]) -> list[Move]:
    return [
        Move(bullet_id=ruling.case.evidence.bullet_id, before=ruling.case.evidence.stage,
             after=gates.after(ruling.case.evidence.stage, ruling.decision.verdict), reason=ruling.decision.reason,
             ruling=kept)
        for ruling, kept in ruled
        if ruling.decision.verdict != Verdict.STAY
    ]  # fmt: skip
