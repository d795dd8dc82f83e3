"""What a playbook is worth, and what there is to be said about one of its bullets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ace.core.evidence import Ruling, family, harmful_e_value, helpful_e_value, rule
from ace.core.gates import Gates
from ace.core.ports import PlaybookStore
from ace.core.validation import check_domain
from ace.errors import NotFound
from ace.models.evidence import Bars, Policy, Worth
from ace.services.books import Books


@dataclass(frozen=True, kw_only=True, slots=True)
class Appraised:
    """A bullet's evidence, what the policy in force says of it now, and the decisions that were made on it."""

    ruling: Ruling
    position: int
    decided: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        seen = self.ruling.case.evidence
        e_values = {"good": helpful_e_value(seen), "harm": harmful_e_value(seen)}
        return {**self.ruling.to_json(), "e_values": e_values, "position": self.position,
                "decisions": [dict(one) for one in self.decided]}  # fmt: skip


class Appraisal:
    """The evidence in one store, for those who want to look."""

    def __init__(self, store: PlaybookStore, books: Books, *, policy: Policy, levels: Gates) -> None:
        self._store, self._books, self._policy, self._levels = store, books, policy, levels

    def worth(self, domain_id: str) -> Worth:
        """Success with the playbook and without, by the tasks that were held out by lot. Raises NotFound."""
        if self._store.head(check_domain(domain_id)).seq == 0:
            raise NotFound(f"There is no domain {domain_id}.")
        with self._books.open(domain_id) as book:
            return book.worth()

    def bullet(self, domain_id: str, bullet_id: str) -> Appraised:
        """All that is known about one bullet. Raises NotFound."""
        bullet = self._store.get(check_domain(domain_id), bullet_id)
        if bullet is None:
            raise NotFound(f"There is no bullet {bullet_id[:80]} in this domain.")
        bars = Bars()
        with self._books.open(domain_id) as book:
            among = family(book.family(), bars)
            (ruling,) = rule([book.evidence(bullet)], policy=self._policy, levels=self._levels, bars=bars, among=among)
            position = book.position
        history = self._store.history(domain_id, bullet_id)
        decided = ({"seq": entry.seq, "kind": entry.kind, **entry.body} for entry in history if "ruling" in entry.body)
        return Appraised(ruling=ruling, position=position, decided=tuple(decided))
