"""Which entry of a journal was tampered with first, and how. Decided from the entries and the head alone.

The hash of an entry covers its number and the hash before it. So an entry that was moved still tells where it
belongs: its home is the number at which its hash is right.

    the first entry that does not follow                                    is named
    its number leaves a gap                                                 dropped, the missing one
    its home is further up: it was moved there by whatever was put in       inserted, at its home
    its home is further down, and the one that belongs here is elsewhere    reordered
    its home is further down, and the one that belongs here is nowhere      dropped
    it has no home, and the next one was moved up                           inserted
    it has no home, and its content stands in another row                   reordered
    it has no home                                                          changed
    it is at home, and what follows goes on from it: the one before it is   changed

What a chain cannot tell is in `ace.core.anchoring`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ace.core.journal import entry_hash
from ace.models.integrity import Fault, Tampering
from ace.models.journal import Entry, Position


def first_fault(entries: Sequence[Entry], head: Position) -> Fault | None:
    """The first fault of a journal that should end at `head`; None when it holds. `entries` are sorted by number."""
    before = Position()
    for index, entry in enumerate(entries):
        if not _follows(entry, before):
            return _named(entries, index, before, head)
        before = Position(seq=entry.seq, hash=entry.hash)
    return _ending(before, head)


def _ending(last: Position, head: Position) -> Fault | None:
    if last.seq < head.seq:
        return _fault(Tampering.TRUNCATED, last.seq + 1, f"the head is {head.seq}, the journal ends at {last.seq}")
    if last.seq > head.seq:
        return _fault(Tampering.INSERTED, head.seq + 1, f"the head is {head.seq}, the journal goes on after it")
    if last.hash != head.hash:
        return _fault(Tampering.CHANGED, last.seq, "its hash is not the head's")
    return None


def _named(entries: Sequence[Entry], index: int, before: Position, head: Position) -> Fault:
    entry, want = entries[index], before.seq + 1
    if entry.seq != want:
        return _fault(Tampering.DROPPED, want, f"entry {entry.seq} follows entry {before.seq}")
    if want > head.seq:
        return _fault(Tampering.INSERTED, want, f"the head is {head.seq}, the journal goes on after it")
    home = _home(entry, len(entries) + 1)
    if home is None:
        return _homeless(entries, index)
    if home < want:
        return _fault(Tampering.INSERTED, home, f"entry {want} was entry {home} before")
    if home > want:
        return _missing(entries, before, home)
    return _at_home(entries, index, before, head)


def _missing(entries: Sequence[Entry], before: Position, home: int) -> Fault:
    """The row at `before.seq + 1` belongs further down: is the one that belongs there still around?"""
    want = before.seq + 1
    elsewhere = next((e for e in entries if e.previous == before.hash and e.seq != want and _fits(e, want)), None)
    if elsewhere:
        return _fault(Tampering.REORDERED, want, f"entry {home} stands in its place, it stands at {elsewhere.seq}")
    return _fault(Tampering.DROPPED, want, f"entry {home} was moved into its place")


def _homeless(entries: Sequence[Entry], index: int) -> Fault:
    entry = entries[index]
    if index + 1 < len(entries) and _fits(entries[index + 1], entry.seq):
        return _fault(Tampering.INSERTED, entry.seq, f"entry {entry.seq + 1} was entry {entry.seq} before")
    other = next((e for e in entries[index + 1 :] if _holds(entry, e)), None)
    if other:
        return _fault(Tampering.REORDERED, entry.seq, f"its content stands in entry {other.seq}")
    return _fault(Tampering.CHANGED, entry.seq, f"its hash does not fit its content ({entry.kind})")


def _at_home(entries: Sequence[Entry], index: int, before: Position, head: Position) -> Fault:
    """Its own hash is right, the hash before is another: which of the two is the false one?"""
    entry = entries[index]
    follower = entries[index + 1].previous if index + 1 < len(entries) else head.hash
    if follower != entry.hash or before.seq == 0:
        return _fault(Tampering.CHANGED, entry.seq, "it does not name the hash before it")
    return _fault(Tampering.CHANGED, before.seq, f"entry {entry.seq} names another hash for it")


def _follows(entry: Entry, before: Position) -> bool:
    return (entry.seq, entry.previous) == (before.seq + 1, before.hash) and _fits(entry, entry.seq)


def _home(entry: Entry, last: int) -> int | None:
    """The number at which this entry's hash is right: its own, or the nearest there is."""
    candidates = sorted(range(1, last + 1), key=lambda seq: abs(seq - entry.seq))
    return next((seq for seq in candidates if _fits(entry, seq)), None)


def _fits(entry: Entry, seq: int) -> bool:
    return entry_hash(entry.previous, entry.domain_id, seq, entry.at, entry.kind, entry.body) == entry.hash


def _holds(row: Entry, other: Entry) -> bool:
    """Is `other`'s content what `row`'s hash was made of?"""
    return entry_hash(row.previous, row.domain_id, row.seq, other.at, other.kind, other.body) == row.hash


def _fault(kind: Tampering, seq: int, why: str) -> Fault:
    return Fault(kind=kind, seq=seq, says=f"entry {seq} was {WORDS[kind]}: {why}")


WORDS = {
    Tampering.CHANGED: "changed",
    Tampering.DROPPED: "dropped",
    Tampering.INSERTED: "inserted",
    Tampering.REORDERED: "reordered",
    Tampering.TRUNCATED: "cut off with what followed",
    Tampering.REPLACED: "cut off with what followed, and other entries appended",
    Tampering.REWRITTEN: "rewritten, with new hashes from there on",
}
