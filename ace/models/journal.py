"""The journal: per domain, every change in order, each entry holding the hash of the one before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

GENESIS = "0" * 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """The head of a domain's journal: entries so far, and the last one's hash."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One change. `seq` counts from 1 without gaps; `at` is UTC."""

    domain_id: str
    seq: int
    at: datetime
    kind: str
    body: dict[str, Any]
    previous: str
    hash: str
