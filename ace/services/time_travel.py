"""The playbook as it was at any position, at any time, at a release; and what lies between two of them.

when                        position
120                         after entry 120
head                        the journal's end
2026-11-25T10:00:00Z        before the first entry later than that
release:NAME                the release's
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ace.core.differences import difference
from ace.core.ports import PlaybookStore
from ace.core.replay import State
from ace.core.validation import check_domain
from ace.errors import Conflict, InvalidInput, NotFound
from ace.models.difference import Difference
from ace.models.journal import Position
from ace.services.past_states import PastStates
from ace.services.releases import Releases

RELEASE = "release:"
REMEDY = "Write a position (120), a time with its zone (2026-11-25T10:00Z), release:NAME or head"


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """The playbook as of a position."""

    position: int
    state: State


class TimeTravel:
    """Reads in one store's journals. A first look costs a replay, a next one little: see PastStates."""

    def __init__(self, store: PlaybookStore, releases: Releases) -> None:
        self._store, self._releases, self._states = store, releases, PastStates(store)

    def position(self, domain_id: str, when: str, field: str = "as_of") -> int:
        """The position that `when` names. Raises NotFound, InvalidInput naming `field`, Conflict."""
        head = self._store.head(check_domain(domain_id))
        if head.seq == 0:
            raise NotFound(f"There is no domain {domain_id}.")
        if when == "head":
            return head.seq
        if when.startswith(RELEASE):
            return self._released(domain_id, when.removeprefix(RELEASE))
        if when.isascii() and when.isdigit():
            return _within(when, head, field)
        return entries_until(self._store, domain_id, _time(when, field), head.seq)

    def as_of(self, domain_id: str, when: str) -> Past:
        """The playbook then."""
        position = self.position(domain_id, when)
        return Past(position=position, state=self.state(domain_id, position))

    def state(self, domain_id: str, position: int) -> State:
        """The playbook after that many entries."""
        return self._states.at(domain_id, position)

    def now(self, domain_id: str) -> State:
        """The playbook at the journal's head; without the votes, and with no replay."""
        return self._states.now(domain_id)

    def difference(self, domain_id: str, start: str, end: str) -> Difference:
        """What has to happen to the playbook at `start` to become the one at `end`."""
        places = self.position(domain_id, start, "from"), self.position(domain_id, end, "to")
        return self.between(domain_id, *places)

    def between(self, domain_id: str, start: int, end: int) -> Difference:
        """The same, by positions."""
        return difference(self.state(domain_id, start), self.state(domain_id, end), start=start, end=end)

    def _released(self, domain_id: str, name: str) -> int:
        release = self._releases.get(domain_id, name)
        if release.position:
            entries = self._store.entries(domain_id, after=release.position - 1, limit=1)
            if [entry.hash for entry in entries] != [release.hash]:
                raise Conflict(f"Release '{name}' is of another journal than domain {domain_id} has now. "
                               f"Find out what happened: ace journal verify --domain {domain_id}.")  # fmt: skip
        return release.position


def entries_until(store: PlaybookStore, domain_id: str, at: datetime, last: int) -> int:
    """How many of the first `last` entries are not later than `at`, found by halving: a journal is in order of time."""
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        if store.entries(domain_id, after=middle, limit=1)[0].at <= at:
            low = middle + 1
        else:
            high = middle
    return low


def _within(digits: str, head: Position, field: str) -> int:
    if len(digits) > 18 or int(digits) > head.seq:
        raise InvalidInput(field, f"there is no position {digits[:20]} yet", f"Give 0 to {head.seq}")
    return int(digits)


def _time(text: str, field: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field, f"{text[:60]!r} names no position", REMEDY) from None
    if at.tzinfo is None:
        raise InvalidInput(field, f"{text[:60]!r} does not say of which zone it is", "Add Z, or +01:00")
    return at
