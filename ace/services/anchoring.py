"""Write down the heads of the journals where the database cannot reach, and read them back.

Not on the way of any learning step: a command does it, and the stage manager after each of its runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ace.core import anchoring
from ace.core.journal import digest
from ace.core.ports import AnchorLog, Clock, PlaybookStore
from ace.errors import Conflict
from ace.models.integrity import Anchor, Anchored, Fault, Tampering
from ace.models.journal import GENESIS, Position

TRIES = 5  # how often another's line may come first

KeyOf = Callable[[bool], bytes | None]
"""The key that signs the lines; True: make one if there is none."""


class Anchoring:
    """The anchors of one store's journals in one log. Safe to share between threads: it keeps nothing."""

    def __init__(self, store: PlaybookStore, log: AnchorLog, key: KeyOf, clock: Clock) -> None:
        self._store, self._log, self._key, self._clock = store, log, key, clock

    def read(self) -> Anchored:
        """Every anchor of the log. Raises StoreUnavailable."""
        lines = self._log.lines()
        if not lines:
            return Anchored()
        key = self._key(False)
        if key is None:
            says = f"the key of the anchor log {self._log.url} is not here: set ACE_ANCHOR_KEY_FILE"
            return Anchored(fault=Fault(kind=Tampering.ANCHORS, says=says))
        return anchoring.unsealed(lines, key)

    def anchor(self, domains: Sequence[str] | None = None) -> list[Anchor]:
        """A line for each of these domains (default: all) whose head has moved since its last.

        Raises Conflict for a journal that does not go on from its last anchor, and for a log that does not hold;
        the domains before it are anchored then.
        """
        chosen = self._store.domains() if domains is None else domains
        made = [self._one(domain_id) for domain_id in chosen]
        return [anchor for anchor in made if anchor]

    def _one(self, domain_id: str) -> Anchor | None:
        for _ in range(TRIES):
            lines = self._log.lines()
            anchor, line = self._next(domain_id, lines)
            if anchor is None or self._log.append(anchor.number, line):
                return anchor
        raise Conflict(f"Others keep writing to the anchor log {self._log.url}. Try again.")

    def _next(self, domain_id: str, lines: Sequence[str]) -> tuple[Anchor | None, str]:
        key = self._key(not lines)
        known = anchoring.unsealed(lines, key) if key else self.read()
        if known.fault or key is None:
            raise Conflict(f"{self._log.url} cannot be written to: {known.fault and known.fault.says}.")
        last, head = next(iter(known.of(domain_id)[-1:]), None), self._store.head(domain_id)
        start = Position(seq=last.seq, hash=last.hash) if last else Position()
        if head == start:
            return None, ""
        entries = self._store.entries(domain_id, after=start.seq)
        if not entries:
            raise Conflict(f"The journal of domain {domain_id} does not reach its anchored entry {start.seq}, or it is "
                           f"another. Find out what happened: ace journal verify --domain {domain_id}.")  # fmt: skip
        previous = digest(lines[-1].encode()) if lines else GENESIS
        anchor = anchoring.following(domain_id, entries, last=last, number=len(lines) + 1, previous=previous,
                                     at=self._clock.now())  # fmt: skip
        return anchor, anchoring.sealed(anchor, key)
