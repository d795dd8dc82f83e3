"""Heads kept outside the database: what an anchor says, how a line is signed, where a journal departs from it.

    line = canonical JSON of the anchor's fields and `hmac`, the HMAC-SHA256 of all the others
    previous = SHA-256 of the line before, so that no line is taken out, put in or moved unseen

Whoever can write to the database alone can make a whole new chain of hashes; it will not end in the heads anchored.
A trail of short hashes, one per entry, says from which entry on it is another.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from datetime import datetime

from ace.core.integrity import WORDS
from ace.core.journal import canonical, digest, first_broken, timestamp
from ace.errors import Conflict, InvalidInput
from ace.models.integrity import Anchor, Anchored, Fault, Tampering
from ace.models.journal import GENESIS, Entry, Position

TRAIL = 8  # characters of each hash


def sealed(anchor: Anchor, key: bytes) -> str:
    """The anchor's line, without its end of line."""
    fields = _fields(anchor)
    return canonical(fields | {"hmac": _hmac(fields, key)}).decode()


def unsealed(lines: Sequence[str], key: bytes, *, known: Sequence[Anchor] = (), last: str = GENESIS) -> Anchored:
    """The anchors of these lines, which follow the `known` ones; up to the first line that does not hold."""
    found = list(known)
    for line in lines:
        number = len(found) + 1
        try:
            anchor = _unsealed(line, key)
        except InvalidInput as error:
            return Anchored(anchors=tuple(found), fault=_broken(number, error.problem))
        if (anchor.number, anchor.previous) != (number, last):
            return Anchored(anchors=tuple(found), fault=_broken(number, "does not follow the line before"))
        found.append(anchor)
        last = digest(line.encode())
    return Anchored(anchors=tuple(found))


def following(
    domain_id: str, entries: Sequence[Entry], *, last: Anchor | None, number: int, previous: str, at: datetime
) -> Anchor:
    """The anchor of the head that `entries`, all there are after `last`, lead to.

    Raises Conflict when they do not go on from it: then the journal is not what it was, and must not be vouched for.
    """
    start = Position(seq=last.seq, hash=last.hash) if last else Position()
    broken = first_broken(entries, start)
    if broken:
        raise Conflict(
            f"The journal of domain {domain_id} does not go on from its anchored entry {start.seq} (entry {broken.seq} "
            f"does not follow). Find out what happened: ace journal verify --domain {domain_id}."
        )
    trail = "".join(entry.hash[:TRAIL] for entry in entries)
    return Anchor(number=number, domain_id=domain_id, seq=entries[-1].seq, hash=entries[-1].hash, at=at, trail=trail,
                  previous=previous)  # fmt: skip


def departure(entries: Sequence[Entry], anchors: Sequence[Anchor]) -> Fault | None:
    """Where a journal that holds by itself is another than the one these anchors of its domain are of."""
    covered = 0
    for anchor in anchors:
        pieces = [anchor.trail[start : start + TRAIL] for start in range(0, len(anchor.trail), TRAIL)]
        for seq, piece in enumerate(pieces, start=covered + 1):
            if seq > len(entries):
                return _departed(Tampering.TRUNCATED, seq, anchor)
            if entries[seq - 1].hash[:TRAIL] != piece:
                return _another(entries[seq - 1], anchor)
        if entries[anchor.seq - 1].hash != anchor.hash:
            return _another(entries[anchor.seq - 1], anchor)
        covered = anchor.seq
    return None


def _another(entry: Entry, anchor: Anchor) -> Fault:
    kind = Tampering.REPLACED if entry.at > anchor.at else Tampering.REWRITTEN
    return _departed(kind, entry.seq, anchor)


def _departed(kind: Tampering, seq: int, anchor: Anchor) -> Fault:
    why = (
        f"entry {anchor.seq} was anchored at {timestamp(anchor.at)} with another hash before it, or another of its own"
    )
    if kind == Tampering.TRUNCATED:
        why = f"entry {anchor.seq} was anchored at {timestamp(anchor.at)}"
    return Fault(kind=kind, seq=seq, says=f"entry {seq} was {WORDS[kind]}: {why}")


def _broken(number: int, problem: str) -> Fault:
    return Fault(kind=Tampering.ANCHORS, says=f"line {number} of the anchor log {problem}")


def _fields(anchor: Anchor) -> dict[str, object]:
    return {"number": anchor.number, "domain": anchor.domain_id, "seq": anchor.seq, "hash": anchor.hash,
            "at": timestamp(anchor.at), "trail": anchor.trail, "previous": anchor.previous}  # fmt: skip


def _hmac(fields: dict[str, object], key: bytes) -> str:
    return hmac.new(key, canonical(fields), "sha256").hexdigest()


def _unsealed(line: str, key: bytes) -> Anchor:
    try:
        fields = json.loads(line)
        given = fields.pop("hmac")
        if not hmac.compare_digest(str(given), _hmac(fields, key)):
            raise InvalidInput("anchor", "is not signed with this key")
        return Anchor(number=fields["number"], domain_id=fields["domain"], seq=fields["seq"], hash=fields["hash"],
                      at=datetime.fromisoformat(fields["at"]), trail=fields["trail"],
                      previous=fields["previous"])  # fmt: skip
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InvalidInput("anchor", "cannot be read") from error
