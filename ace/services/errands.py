"""All that a worker may be given to do: what agents reported comes first, then what runs have assigned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ace.errors import AceError
from ace.services.reflection import Reflected


class Hand(Protocol):
    """Something that a worker has in hand."""

    @property
    def domain_id(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def attempt(self) -> int: ...


class Work(Protocol):
    """One kind of work: `Reflection`, `Assigned`, or several kinds as one. What `claim` gives the others take."""

    def claim(self, worker: str, domain: str | None = None) -> Any: ...

    def reflect(self, claim: Any) -> Reflected: ...

    def postpone(self, claim: Any, reason: str, error: AceError | None = None) -> Reflected: ...

    def release(self, claim: Any, error: AceError | None = None) -> Reflected: ...


@dataclass(frozen=True, slots=True)
class Errand:
    """What is in hand, and whose kind of work it is."""

    work: Work
    hand: Hand

    @property
    def domain_id(self) -> str:
        return self.hand.domain_id

    @property
    def id(self) -> str:
        return self.hand.id

    @property
    def attempt(self) -> int:
        return self.hand.attempt


class Errands:
    """Kinds of work as one; whoever comes first is asked first."""

    def __init__(self, *kinds: Work) -> None:
        self._kinds = kinds

    def claim(self, worker: str, domain: str | None = None) -> Errand | None:
        """The first there is; None when there is nothing to do."""
        for work in self._kinds:
            if (hand := work.claim(worker, domain)) is not None:
                return Errand(work, hand)
        return None

    def reflect(self, errand: Errand) -> Reflected:
        """Do it."""
        return errand.work.reflect(errand.hand)

    def postpone(self, errand: Errand, reason: str, error: AceError | None = None) -> Reflected:
        """Put it off."""
        return errand.work.postpone(errand.hand, reason, error)

    def release(self, errand: Errand, error: AceError | None = None) -> Reflected:
        """Give it back as if it had not been taken."""
        return errand.work.release(errand.hand, error)
