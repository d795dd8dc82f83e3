"""A receipt: what a task was shown, given out with the context and handed back with the report of what happened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One bullet shown, and the probability with which it was, 0..1."""

    bullet_id: str
    probability: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """`position` is the journal's, `issued_at` in seconds since the epoch, `traffic` the class that was asked for."""

    id: str
    domain_id: str
    position: int
    shown: tuple[Shown, ...] = ()
    traffic: str = "production"
    principal: str | None = None
    issued_at: int = 0
