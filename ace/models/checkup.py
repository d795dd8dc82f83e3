"""What a check of the installation found, and what there is to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How it stands with one thing, best first."""

    OK = "ok"  # nothing to do
    WARNING = "warning"  # it works; look at it soon
    OUTAGE = "outage"  # something outside is away: try again later
    FAULT = "fault"  # it does not work until somebody mends it


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing looked at: what was found, and the remedy where one is called for."""

    name: str
    state: State
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "state": self.state.value, "found": self.found, "remedy": self.remedy}


def worst(findings: Sequence[Finding]) -> State:
    """The state of the whole."""
    return max((one.state for one in findings), key=list(State).index, default=State.OK)
