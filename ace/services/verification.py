"""Make sure that a journal is the one that was written, and that the playbook is what it says."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ace.core.anchoring import departure
from ace.core.decisions import first_unfounded
from ace.core.integrity import WORDS, first_fault
from ace.core.journal import timestamp
from ace.core.ports import PlaybookStore
from ace.core.replay import State, replay
from ace.core.validation import check_domain
from ace.errors import InvalidInput
from ace.models.integrity import Anchor, Anchored, Fault, Tampering
from ace.models.journal import Entry, Position
from ace.models.playbook import Bullet, Link

ATTEMPTS = 5  # at reading it all between two writes; then writers wait
PAGE = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """How many entries were checked, the last anchor that was compared, and the first thing found wrong, if any."""

    entries: int
    found: Fault | None = None
    anchor: Anchor | None = None

    @property
    def fault(self) -> str:
        """In words; empty when all is sound."""
        return self.found.says if self.found else ""

    def to_json(self) -> dict[str, Any]:
        return {
            "entries": self.entries,
            "sound": self.found is None,
            "fault": self.fault,
            "kind": self.found.kind.value if self.found else None,
            "first_bad": self.found.seq if self.found else None,
            "anchored": self.anchor.seq if self.anchor else None,
            "anchored_at": timestamp(self.anchor.at) if self.anchor else None,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    """All there is of a domain, read between two writes; `unreadable` is the first entry that cannot be read."""

    head: Position
    entries: list[Entry]
    bullets: list[Bullet]
    links: Collection[Link]
    unreadable: Fault | None = None


def verify(domain_id: str, store: PlaybookStore, anchored: Anchored | None = None) -> Verification:
    """Follow the hash chain to the head and the anchors, replay it, compare with what is stored, and decide again."""
    stored, kept = _read(check_domain(domain_id), store), anchored or Anchored()
    anchors = kept.of(domain_id)
    found = (
        stored.unreadable
        or first_fault(stored.entries, stored.head)
        or departure(stored.entries, anchors)
        or _strange(stored)
        or first_unfounded(stored.entries)
        or kept.fault
    )
    return Verification(entries=len(stored.entries), found=found, anchor=anchors[-1] if anchors else None)


def _strange(stored: _Stored) -> Fault | None:
    """Where the tables differ from what the journal adds up to."""
    try:
        state = replay(stored.entries)
    except (InvalidInput, ValueError, LookupError, TypeError) as error:
        return _state(f"the journal cannot be replayed: {error}")
    return _differing(state, stored)


def _differing(state: State, stored: _Stored) -> Fault | None:
    bullets = {bullet.id: bullet for bullet in stored.bullets}
    strange = sorted(key for key in state.bullets.keys() | bullets.keys() if state.bullets.get(key) != bullets.get(key))
    if strange:
        return _state(f"bullet {strange[0]} is not what the journal says")
    if state.links != stored.links:
        return _state("the contradictions are not those of the journal")
    return None


def _state(says: str) -> Fault:
    return Fault(kind=Tampering.STATE, says=says)


def _read(domain_id: str, store: PlaybookStore) -> _Stored:
    for _ in range(ATTEMPTS):
        head = store.head(domain_id)
        stored = _read_once(domain_id, store, head)
        if store.head(domain_id) == head:
            return stored
    with store.transaction(domain_id) as transaction:
        return _read_once(domain_id, store, transaction.head)


def _read_once(domain_id: str, store: PlaybookStore, head: Position) -> _Stored:
    entries, unreadable = _entries(domain_id, store)
    return _Stored(head=head, entries=entries, bullets=store.get_all(domain_id), links=store.links(domain_id),
                   unreadable=unreadable)  # fmt: skip


def _entries(domain_id: str, store: PlaybookStore) -> tuple[list[Entry], Fault | None]:
    """The entries up to the first that is no entry, which is then the fault."""
    entries: list[Entry] = []
    limit = PAGE
    while True:
        after = entries[-1].seq if entries else 0
        try:
            page = store.entries(domain_id, after=after, limit=limit)
        except (ValueError, LookupError, TypeError) as error:
            if limit == 1:
                says = f"entry {after + 1} was {WORDS[Tampering.CHANGED]}: it cannot be read ({error})"
                return entries, Fault(kind=Tampering.CHANGED, seq=after + 1, says=says)
            limit = 1
            continue
        if not page:
            return entries, None
        entries += page
