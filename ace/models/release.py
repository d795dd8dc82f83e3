"""A name for a position of a domain's journal: what a team calls the playbook it tried and trusts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """`hash` is that of the entry at `position`. `created_at`: seconds since the epoch."""

    domain_id: str
    name: str
    position: int
    hash: str
    note: str = ""
    created_at: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
