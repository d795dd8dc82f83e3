"""What a bullet was in the place it was carried in from: told, and never counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreign:
    """One place a bullet has been: how it was written there (`format`), in which file, under which id and heading.

    `helpful` and `harmful` are what that place had counted, by rules of its own: no votes here, and no evidence.
    `details` are fields of that format which have no other place here.
    """

    format: str
    file: str = ""
    id: str | None = None
    section: str | None = None
    helpful: int | None = None
    harmful: int | None = None
    details: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """`paper, playbook.txt, str-00001, +3 −0 there`."""
        counted = f"+{self.helpful or 0} −{self.harmful or 0} there" if self.helpful or self.harmful else None
        return ", ".join(part for part in (self.format, self.file, self.id, counted) if part)

    def to_json(self) -> dict[str, Any]:
        """What is known."""
        own = {name: getattr(self, name) for name in ("format", "file", "id", "section", "helpful", "harmful")}
        known = {name: value for name, value in own.items() if value not in (None, "")}
        return known | ({"details": dict(self.details)} if self.details else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse; fields that a later release added are passed over."""
        known = {name: data[name] for name in ("format", "file", "id", "section", "helpful", "harmful") if name in data}
        return cls(**known, details=tuple(data.get("details", {}).items()))
