"""What the journal says of bullets that were put into the archive: by whom they are stood for, what is wanted back.

entry         what it changes
archive       the bullet lies here; where another says the same, that one stands for it
increment     a helpful vote on what lies here: the advice was learned again
restore       it lies here no longer; what was stood for and is taken back by a person is never put aside
              for saying the same again
quarantine    it lies here no longer
"""

from __future__ import annotations

from ace.models.plan import Archive, Increment, Operation, Quarantine, Restore
from ace.models.refining import Cause, cause_of

RETURNING = frozenset({Cause.UNUSED, Cause.ROOM})
"""What comes back when it is learned again: what a person or another bullet has put here stays."""


class Attic:
    """Carried on along the journal by `ace.core.book.Book`."""

    def __init__(self) -> None:
        self._causes: dict[str, Cause] = {}
        self._wanted: set[str] = set()
        self.superseded: dict[str, str] = {}  # bullet -> the one that stood for it when it was put aside
        self.taken_back: set[str] = set()

    def take(self, operation: Operation) -> None:
        match operation:
            case Archive(bullet_id=own, reason=reason, superseded_by=other):
                self._leave(own)
                self._causes[own] = cause_of(reason, other)
                if other:
                    self.superseded[own] = other
            case Increment(bullet_id=own, helpful=1) if own in self._causes:
                self._wanted.add(own)
            case Restore(bullet_id=own):
                if own in self.superseded:
                    self.taken_back.add(own)
                self._leave(own)
            case Quarantine(bullet_id=own):
                self._leave(own)
            case _:
                pass

    def stands_for(self, own: str) -> str:
        """The bullet at the end of the chain: the one nobody stands for."""
        passed = {own}
        while (other := self.superseded.get(own)) is not None and other not in passed:
            passed.add(own := other)
        return own

    def stood_for(self) -> dict[str, str]:
        """Everything that another stands for, and who does."""
        return {own: self.stands_for(own) for own in self.superseded}

    def learned_again(self) -> list[str]:
        """What lies here for want of use or room though it, or what it stands for, got a helpful vote since."""
        wanted = {self.stands_for(own) for own in self._wanted}
        return sorted(own for own in wanted if self._causes.get(own) in RETURNING)

    def _leave(self, own: str) -> None:
        self._causes.pop(own, None)
        self.superseded.pop(own, None)
        self._wanted.discard(own)
