"""Which of the bullets shown broke a task? Delta debugging, as a conversation: shown bullets out, success in.

    with all bullets it succeeds         nothing to explain
    without any it fails                 the bullets are not to blame
    else                                 halve what fails until it cannot be made smaller: one cause
                                         leave that cause out; fails what is left? then there is another cause

ddmin tries the parts of a failing set, then the set without each part, then smaller parts. What it ends with fails,
and succeeds once any one member is left out: so in a world where the same bullets give the same result, every bullet
named is needed for a failure that was seen. A single culprit among n takes at most 2 ceil(log2 n) + 3 runs; two that
break the task only together take more, about as many as there are bullets. No set is asked about twice.

Zeller A, Hildebrandt R, "Simplifying and isolating failure-inducing input", IEEE Trans Softw Eng 2002;28:183.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import pairwise

from ace.models.replay import Finding, Guilt

Shown = tuple[str, ...]
Asking = Generator[Shown, bool, bool]


class Inquiry:
    """One task's inquiry. `suspects`: the smallest failing set so far; `known`: what was tried, and did it succeed."""

    def __init__(self, bullets: Sequence[str]) -> None:
        self._all = tuple(dict.fromkeys(bullets))
        self.suspects, self.known = self._all, dict[Shown, bool]()
        self.causes: list[Shown] = []

    def run(self) -> Generator[Shown, bool, Finding]:
        """Yields the bullets to show next, is sent whether the task then succeeded, returns what was found."""
        if (yield from self._succeeds(self._all)):
            return Finding(guilt=Guilt.SUCCEEDS)
        if not (yield from self._succeeds(())):
            return Finding(guilt=Guilt.FAILS_ANYWAY)
        rest = self._all
        while not (yield from self._succeeds(rest)):
            cause = yield from self._smallest(rest)
            self.causes.append(cause)
            self.suspects = rest = _without(rest, cause)
        return Finding(guilt=Guilt.FOUND, causes=tuple(self.causes))

    def so_far(self) -> Finding:
        """What is known when an inquiry is broken off."""
        return Finding(guilt=Guilt.OPEN, causes=tuple(self.causes), suspects=self.suspects)

    def _smallest(self, failing: Shown) -> Generator[Shown, bool, Shown]:
        """ddmin: a smallest set that still fails."""
        parts = 2
        while len(failing) > 1:
            smaller, complement = yield from self._first_failing(failing, parts)
            if smaller is not None:
                self.suspects = failing = smaller
                parts = max(parts - 1, 2) if complement else 2
            elif parts < len(failing):
                parts = min(2 * parts, len(failing))
            else:
                break
        return failing

    def _first_failing(self, failing: Shown, parts: int) -> Generator[Shown, bool, tuple[Shown | None, bool]]:
        """A part that fails, or else what fails with a part left out, and whether it is the latter."""
        cut = list(_cut(failing, parts))
        for part in cut:
            if not (yield from self._succeeds(part)):
                return part, False
        for part in cut if parts > 2 else ():
            rest = _without(failing, part)
            if not (yield from self._succeeds(rest)):
                return rest, True
        return None, False

    def _succeeds(self, shown: Shown) -> Asking:
        if shown not in self.known:
            self.known[shown] = yield shown
        return self.known[shown]


def _cut(items: Shown, parts: int) -> Iterator[Shown]:
    """The items in so many parts of nearly the same size, in order."""
    edges = [len(items) * number // parts for number in range(parts + 1)]
    return (items[start:end] for start, end in pairwise(edges))


def _without(items: Shown, part: Shown) -> Shown:
    return tuple(item for item in items if item not in part)
