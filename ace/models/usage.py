"""What a domain has used of language models in one day (UTC)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """Calls, tokens in and out together, and US dollars where the price is known."""

    calls: int = 0
    tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(calls=self.calls + other.calls, tokens=self.tokens + other.tokens,
                     cost_usd=self.cost_usd + other.cost_usd)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class DayUsage:
    """`day` as in 2026-11-25."""

    domain_id: str
    day: str
    spent: Spent

    def to_json(self) -> dict[str, Any]:
        return {"domain": self.domain_id, "day": self.day, **asdict(self.spent)}
