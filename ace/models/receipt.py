"""A receipt: what a task was shown, given out with the context and handed back with the report of what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from ace.models.observation import Lot


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """`position` is the journal's, `issued_at` in seconds since the epoch, `traffic` the class that was asked for.

    `lots`: the bullets that fitted, each with the chance it had of being shown, and whether it was. `holdout`: the
    chance that such a task is shown nothing; `held_out`: this one was not shown anything.
    """

    id: str
    domain_id: str
    position: int
    lots: tuple[Lot, ...] = ()
    traffic: str = "production"
    principal: str | None = None
    issued_at: int = 0
    holdout: float = 0.0
    held_out: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        """The ids of the bullets that were shown."""
        return tuple(lot.bullet_id for lot in self.lots if lot.shown)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse."""
        return cls(**{**data, "lots": tuple(Lot(**lot) for lot in data["lots"])})
