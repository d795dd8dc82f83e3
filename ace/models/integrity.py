"""What was done to a journal behind ACE's back, and the heads that are kept elsewhere to prove it.

kind                     first bad entry                                              seen without an anchor
changed                  the one whose content is not what its hash says              yes
dropped                  the one that is missing                                      yes
inserted                 the one that was not there                                   yes
reordered                the first that stands in another's place                     yes
truncated                the first of the tail that is gone                           if the head was left as it was
truncated_and_appended   the first that was written after its place had been anchored no
rewritten                the first of those given new hashes, times as they were      no
state                    none: the journal holds, the tables say something else       yes
decision                 the first stage decision that its own evidence does not give yes
anchor_log               none: the log of anchors itself does not hold
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ace.models.journal import GENESIS


class Tampering(StrEnum):
    """How a journal was changed; see the table above."""

    CHANGED = "changed"
    DROPPED = "dropped"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    REPLACED = "truncated_and_appended"
    REWRITTEN = "rewritten"
    STATE = "state"
    DECISION = "decision"
    ANCHORS = "anchor_log"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """The first thing found wrong: `seq` is the bad entry's, None where it is no entry."""

    kind: Tampering
    seq: int | None = None
    says: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """One line of the anchor log: a domain's head at `at`. Lines are numbered from 1.

    `trail` holds the first TRAIL characters of the hash of each entry since the domain's anchor before; the head's
    whole hash is the proof, the trail finds the place. `previous` is the hash of the line before.
    """

    number: int
    domain_id: str
    seq: int
    hash: str
    at: datetime
    trail: str = ""
    previous: str = GENESIS


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchored:
    """The anchors that could be read, and what is wrong with the log, if anything."""

    anchors: tuple[Anchor, ...] = ()
    fault: Fault | None = None

    def of(self, domain_id: str) -> tuple[Anchor, ...]:
        """One domain's, oldest first."""
        return tuple(anchor for anchor in self.anchors if anchor.domain_id == domain_id)
