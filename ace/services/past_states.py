"""States of the past, remembered: the next look is carried on from the nearest earlier one.

A first look at position 100,000 replays 100,000 entries, and keeps a state every STRIDE of them on its way; a look
beside it replays at most that many. What is kept is used only while the journal still has the entry it ended with.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from ace.core.ports import PlaybookStore
from ace.core.replay import State, carry_on, replay
from ace.models.journal import Entry, Position

STRIDE = 16_000  # entries
KEPT = 10  # states in all domains; neighbours share their bullets


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """The state a journal adds up to at one of its positions."""

    position: Position = field(default_factory=Position)
    state: State = field(default_factory=State)


Memory = OrderedDict[tuple[str, int], Known]


class PastStates:
    """Reads in one store's journals; safe for threads."""

    def __init__(self, store: PlaybookStore, stride: int = STRIDE, kept: int = KEPT) -> None:
        self._store, self._stride, self._kept, self._lock = store, stride, kept, Lock()
        self._known: Memory = OrderedDict()
        self._now: Memory = OrderedDict()

    def at(self, domain_id: str, position: int) -> State:
        """The state after that many entries."""
        known = self._nearest(domain_id, position)
        entries = self._store.entries(domain_id, after=known.position.seq, limit=position - known.position.seq)
        if any(entry.kind == "rollback" for entry in entries):
            return self._anew(domain_id, position)
        for start in range(0, len(entries), self._stride):
            stretch = entries[start : start + self._stride]
            known = self._keep(domain_id, stretch[-1], carry_on(known.state, stretch))
        return known.state

    def now(self, domain_id: str) -> State:
        """The state at the journal's head, from the tables; without the votes."""
        head = self._store.head(domain_id)
        known = self._now.get((domain_id, head.seq))
        if known is None or known.position != head:
            bullets = {bullet.id: bullet for bullet in self._store.get_all(domain_id)}
            known = Known(position=head, state=State(bullets=bullets, links=frozenset(self._store.links(domain_id))))
            if self._store.head(domain_id) == head:  # nobody wrote while it was read
                self._remember(self._now, (domain_id, head.seq), known)
        return known.state

    def _anew(self, domain_id: str, position: int) -> State:
        entries = self._store.entries(domain_id, limit=position)
        return self._keep(domain_id, entries[-1], replay(entries)).state

    def _nearest(self, domain_id: str, position: int) -> Known:
        """The last known state not later than that, or the empty one."""
        with self._lock:
            earlier = [known for (own, seq), known in self._known.items() if own == domain_id and seq <= position]
        for known in sorted(earlier, key=lambda known: -known.position.seq):
            if self._stands(domain_id, known.position):
                return known
        return Known()

    def _stands(self, domain_id: str, position: Position) -> bool:
        found = self._store.entries(domain_id, after=position.seq - 1, limit=1)
        return [entry.hash for entry in found] == [position.hash]

    def _keep(self, domain_id: str, last: Entry, state: State) -> Known:
        known = Known(position=Position(seq=last.seq, hash=last.hash), state=state)
        self._remember(self._known, (domain_id, last.seq), known)
        return known

    def _remember(self, memory: Memory, key: tuple[str, int], known: Known) -> None:
        with self._lock:
            memory[key] = known
            memory.move_to_end(key)
            while len(memory) > self._kept:
                memory.popitem(last=False)
