"""Give a position of a journal a name, and find it again."""

from __future__ import annotations

import re

from ace.core.ports import Clock, PlaybookStore, ReleaseStore
from ace.core.validation import check_domain, check_text
from ace.errors import Conflict, InvalidInput, NotFound
from ace.models.release import Release

MAX_NOTE_CHARS = 1000
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}"
NAME = re.compile(NAME_PATTERN)


class Releases:
    """The releases of one store's playbooks."""

    def __init__(self, store: PlaybookStore, releases: ReleaseStore, clock: Clock) -> None:
        self._store, self._releases, self._clock = store, releases, clock

    def create(self, domain_id: str, name: str, note: str = "") -> Release:
        """Name the head; a second time, at the same head, changes nothing.

        Raises NotFound for a domain without a journal, Conflict when the name is of another position, InvalidInput.
        """
        _check_name(name)
        if note := note.strip():
            check_text("note", note, MAX_NOTE_CHARS)
        head = self._store.head(check_domain(domain_id))
        if head.seq == 0:
            raise NotFound(f"There is no domain {domain_id}.")
        now = self._clock.now().timestamp()
        wanted = Release(domain_id=domain_id, name=name, position=head.seq, hash=head.hash, note=note, created_at=now)
        kept = self._releases.add(wanted)
        if (kept.position, kept.hash) != (head.seq, head.hash):
            raise Conflict(f"Release '{name}' is position {kept.position}, the head is {head.seq}. Use a new name.")
        return kept

    def get(self, domain_id: str, name: str) -> Release:
        """Raises NotFound."""
        found = self._releases.get(domain_id, name) if NAME.fullmatch(name) else None
        if found is None:
            raise NotFound(f"There is no release {name[:100]!r} in domain {domain_id}. See: ace release list.")
        return found

    def list(self, domain_id: str) -> list[Release]:
        """Oldest first."""
        return self._releases.all(check_domain(domain_id))


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        remedy = "Use 1-100 letters, digits, '.', '_', '+' and '-', starting with a letter or digit"
        raise InvalidInput("name", f"{name[:100]!r} is not a name for a release", remedy)
