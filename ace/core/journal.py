"""The hash chain: each entry's hash covers its content and the hash before it, so no entry changes unseen.

    hash = SHA-256( canonical JSON of [previous, domain, seq, at, kind, body] )

Canonical JSON: sorted keys, no spaces, UTF-8, no NaN; `at` is ISO 8601 in UTC with microseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ace.models.journal import Entry, Position
from ace.models.plan import Operation, operation_to_json


def canonical(value: Any) -> bytes:
    """The one JSON text of a value; equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def timestamp(at: datetime) -> str:
    """UTC with microseconds, always the same length."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """An entry as the interface shows it."""
    return {"seq": entry.seq, "at": timestamp(entry.at), "kind": entry.kind, "body": entry.body,
            "previous": entry.previous, "hash": entry.hash}  # fmt: skip


def entry_hash(previous: str, domain_id: str, seq: int, at: datetime, kind: str, body: dict[str, Any]) -> str:
    return digest(canonical([previous, domain_id, seq, timestamp(at), kind, body]))


def chain(domain_id: str, head: Position, operations: Iterable[Operation], at: datetime) -> list[Entry]:
    """The entries that carry these operations on from `head`."""
    entries: list[Entry] = []
    for seq, operation in enumerate(operations, start=head.seq + 1):
        kind, body = operation_to_json(operation)
        previous = entries[-1].hash if entries else head.hash
        own = entry_hash(previous, domain_id, seq, at, kind, body)
        entries.append(Entry(domain_id=domain_id, seq=seq, at=at, kind=kind, body=body, previous=previous, hash=own))
    return entries


def written_by(prefix: str, body: Mapping[str, Any]) -> bool:
    """Whether an entry is of an episode whose id begins like this, or a link, which such a one made."""
    origin = body.get("origin")
    episode = origin.get("episode_id") if isinstance(origin, Mapping) else body.get("episode_id")
    return "left" in body or str(episode).startswith(prefix)


def first_broken(entries: Iterable[Entry], start: Position | None = None) -> Entry | None:
    """The first entry that does not follow from the one before, or whose content was changed; None when sound."""
    head = start or Position()
    for entry in entries:
        if (entry.seq, entry.previous) != (head.seq + 1, head.hash) or entry.hash != _recomputed(entry):
            return entry
        head = Position(seq=entry.seq, hash=entry.hash)
    return None


def _recomputed(entry: Entry) -> str:
    return entry_hash(entry.previous, entry.domain_id, entry.seq, entry.at, entry.kind, entry.body)
