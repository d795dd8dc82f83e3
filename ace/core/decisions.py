"""Do the stage manager's decisions follow from the journal before them? Each entry that carries a ruling is held to it.

    the entry before      the bullet has the stage and the counters that the ruling says
    the position named    the evidence and the family counted from the journal up to there are the ruling's
    the case              decided again it gives the verdict and the reason that were written down

Whoever changes the evidence of a decision, or has one made without any, is found by this, even with the chain intact.
"""

from __future__ import annotations

from collections.abc import Sequence

from ace.core.book import Book
from ace.core.evidence import family, redecide
from ace.core.gates import Verdict
from ace.core.replay import Growing, standing
from ace.models.evidence import Case
from ace.models.integrity import Fault, Tampering
from ace.models.journal import Entry
from ace.models.plan import operation_from_json

_VERDICT = {"promote": Verdict.RISE, "quarantine": Verdict.QUARANTINE}


def first_unfounded(entries: Sequence[Entry]) -> Fault | None:
    """The first decision that does not follow; None when all do. `entries` start at seq 1 and can be replayed."""
    reader = _Reader(entries)
    for place, entry in enumerate(entries):
        problem = reader.problem(entry) if "ruling" in entry.body else None
        if problem:
            return Fault(kind=Tampering.DECISION, seq=entry.seq, says=f"entry {entry.seq} ({entry.kind}): {problem}")
        reader.take(place, entry)
    return None


class _Reader:
    """The state before the next entry, and the book as of where the run of decisions began that it may be part of."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._book, self._state = Book(), Growing()
        self._pending: list[Entry] = []  # decisions made at the book's position

    def problem(self, entry: Entry) -> str | None:
        ruling = entry.body["ruling"]
        try:
            case, again = Case.from_json(ruling), redecide(ruling)
        except (ValueError, LookupError, TypeError) as error:
            return f"its ruling cannot be read ({error!r})"
        if again.verdict != _VERDICT.get(entry.kind) or again.reason != entry.body["reason"]:
            return f"its evidence gives another decision: {again.verdict}, {again.reason}"
        return self._counted_otherwise(entry, case)

    def _counted_otherwise(self, entry: Entry, case: Case) -> str | None:
        seen, bullet = case.evidence, self._state.bullet(entry.body["bullet_id"])
        before = (bullet.id, bullet.stage, bullet.helpful_count, bullet.harmful_count)
        if before != (seen.bullet_id, seen.stage, seen.helpful_count, seen.harmful_count):
            return "its bullet had another stage or other counters"
        position = entry.body["ruling"].get("position")
        if position is None:
            return None
        if position != self._book.position:
            return f"it was made as of position {position}, not as of the head"
        same = self._book.evidence(bullet) == seen and family(self._book.family(), case.bars) == case.family
        return None if same else "the journal up to there gives other evidence"

    def take(self, place: int, entry: Entry) -> None:
        if entry.kind == "rollback":
            self._go_back(place + 1)
            return
        self._state.carry_out(operation_from_json(entry.kind, entry.body))
        self._pending.append(entry)
        following = self._entries[place + 1 : place + 2]
        same_run = "ruling" in entry.body and following and _made_at(following[0]) == _made_at(entry)
        if not same_run or _made_at(entry) is None:
            self._book.read(self._pending)
            self._pending = []

    def _go_back(self, head: int) -> None:
        left = standing(self._entries, head)
        self._book, self._pending, self._state = Book.of(left, head), [], Growing()
        for entry in left:
            self._state.carry_out(operation_from_json(entry.kind, entry.body))


def _made_at(entry: Entry) -> int | None:
    found = entry.body.get("ruling", {}).get("position")
    return found if isinstance(found, int) else None
