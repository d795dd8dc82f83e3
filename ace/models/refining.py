"""What a refinement of a playbook did, or would do, and why a bullet is in the archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ace.models.plan import Archive, Operation, Relate, Restore


class Cause(StrEnum):
    """Why a bullet was archived. The values begin the reasons that refinement gives."""

    SUPERSEDED = "superseded"  # another says the same
    UNUSED = "unused"  # nobody has used it for long
    ROOM = "room"  # the playbook was larger than its budget
    PERSON = "person"  # somebody did it by hand


def cause_of(reason: str, superseded_by: str | None) -> Cause:
    """Why, from what the journal keeps of an archiving."""
    if superseded_by:
        return Cause.SUPERSEDED
    return next((one for one in (Cause.UNUSED, Cause.ROOM) if reason.startswith(f"{one}:")), Cause.PERSON)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refined:
    """One domain's refinement: its operations in order, and how many pairs of bullets were looked at twice for it.

    `complete`: all that is new was compared; else the look was broken off, and the next one goes on.
    """

    domain_id: str
    operations: tuple[Operation, ...] = ()
    judged: int = 0
    complete: bool = True

    @property
    def archived(self) -> list[Archive]:
        return [one for one in self.operations if isinstance(one, Archive)]

    @property
    def restored(self) -> list[Restore]:
        return [one for one in self.operations if isinstance(one, Restore)]

    def counts(self) -> Mapping[Cause, int]:
        """How many were archived for each cause (every cause but PERSON is a key)."""
        causes = [cause_of(one.reason, one.superseded_by) for one in self.archived]
        return {cause: causes.count(cause) for cause in Cause if cause != Cause.PERSON}

    def to_json(self) -> dict[str, Any]:
        archived = [
            {"bullet_id": one.bullet_id, "cause": cause_of(one.reason, one.superseded_by).value, "reason": one.reason,
             "superseded_by": one.superseded_by}
            for one in self.archived
        ]  # fmt: skip
        restored = [{"bullet_id": one.bullet_id, "reason": one.reason} for one in self.restored]
        links = sum(isinstance(one, Relate) for one in self.operations)
        return {"domain": self.domain_id, "archived": archived, "restored": restored, "linked": links,
                "judged": self.judged, "complete": self.complete}  # fmt: skip
