"""Watch the current release of each domain, and bring the previous one back when it is shown to be worse.

    the domain has                                         then
    one release, or none                                   nothing is compared
    been rolled back since its current release             nothing is compared until the next release
    two releases that stand                                what was reported under each is (`ace.core.guardrail`)

The previous release is the last one before the current that no rollback has undone. What was reported is counted from
the journal, carried on from where the last look ended. After a rollback whatever was quarantined stays so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from ace.core.guardrail import Samples, Stretch
from ace.core.ports import PlaybookStore, ReleaseStore
from ace.core.validation import check_domain
from ace.models.guardrail import Bounds, Gauge, Mode, State, Watch
from ace.models.journal import Entry
from ace.models.plan import Observe, Rollback, operation_from_json
from ace.models.release import Release
from ace.services.rollback import Rollbacks
from ace.services.stewardship import MAX_REASON_CHARS

DOMAINS_KEPT = 64


@dataclass(slots=True)
class _Pair:
    """Two releases, and what is counted of them as far as `position`. Once `over` nothing more is."""

    previous: Release
    current: Release
    samples: Samples
    position: int
    over: bool


class Guarding:
    """The guardrail of one store. Safe to share between threads."""

    def __init__(
        self,
        store: PlaybookStore,
        releases: ReleaseStore,
        rollbacks: Rollbacks,
        *,
        mode: Mode = Mode.ON,
        bounds: Bounds | None = None,
    ) -> None:
        self._store, self._releases, self._rollbacks = store, releases, rollbacks
        self._mode, self._bounds, self._lock = mode, bounds or Bounds(), Lock()
        self._pairs: OrderedDict[str, _Pair] = OrderedDict()
        self._told: set[tuple[str, str, Gauge]] = set()

    def look(self, domain_id: str) -> Watch:
        """How the domain stands; nothing is changed."""
        found = Watch(domain_id=check_domain(domain_id), mode=self._mode, state=State.ALONE)
        with self._lock:
            pair = self._pair(domain_id)
            if pair is None:
                return found
            found = replace(found, previous=pair.previous, current=pair.current)
            if pair.over:
                return replace(found, state=State.ROLLED_BACK)
            findings = pair.samples.judge(self._bounds)
        state = State.WORSE if any(one.worse for one in findings) else State.GOOD
        return replace(found, state=state, findings=findings)

    def guard(self, domain_id: str) -> Watch:
        """Look, and do what the mode says; what was found for the first time is in `news`.

        Raises Conflict when another process has rolled back at this moment, for figures of its own.
        """
        if self._mode == Mode.OFF:
            return Watch(domain_id=domain_id, mode=self._mode, state=State.UNWATCHED)
        found = self.look(domain_id)
        previous, current = found.previous, found.current
        if found.state != State.WORSE or previous is None or current is None:
            return found
        found = self._first_time(found, current.name)
        if self._mode == Mode.WATCH:
            return found
        reason, key = found.reason[:MAX_REASON_CHARS], f"guardrail/{current.name}"
        to = f"release:{previous.name}"
        done = self._rollbacks.roll_back(domain_id, to, reason, key=key, keep_quarantined=True)
        return replace(found, position=done.position)

    def _first_time(self, found: Watch, release: str) -> Watch:
        found_now = {one.gauge: (found.domain_id, release, one.gauge) for one in found.worse}
        with self._lock:
            fresh = {gauge for gauge, known in found_now.items() if known not in self._told}
            self._told.update(found_now.values())
        return replace(found, news=tuple(one for one in found.worse if one.gauge in fresh))

    def _pair(self, domain_id: str) -> _Pair | None:
        """The releases to compare, counted as far as the journal goes."""
        releases = sorted(self._releases.all(domain_id), key=lambda one: (one.position, one.created_at))
        if len(releases) < 2:
            return None
        known, entries = self._pairs.get(domain_id), list[Entry]()
        if known is not None and known.current == releases[-1]:
            if known.over:
                return known
            entries = self._store.entries(domain_id, after=known.position)
        if known is None or known.current != releases[-1] or any(entry.kind == "rollback" for entry in entries):
            known, entries = self._begun(domain_id, releases)
        if known is not None:
            self._keep(domain_id, known)
            _carry_on(known, entries)
        return known

    def _begun(self, domain_id: str, releases: Sequence[Release]) -> tuple[_Pair | None, list[Entry]]:
        """The last two releases that stand, and all entries since the earlier one."""
        current = releases[-1]
        for previous in reversed([one for one in releases if one.position < current.position]):
            entries = self._store.entries(domain_id, after=previous.position)
            undone = tuple(_stretches(entries))
            if all(low >= previous.position for low, _ in undone):  # no way back has led past it
                over = any(high > current.position for _, high in undone)
                samples = Samples(start=previous.position, turn=current.position, undone=undone)
                return _Pair(previous, current, samples, previous.position, over), entries
        return None, []

    def _keep(self, domain_id: str, pair: _Pair) -> None:
        self._pairs[domain_id] = pair
        self._pairs.move_to_end(domain_id)
        while len(self._pairs) > DOMAINS_KEPT:
            self._pairs.popitem(last=False)


def _carry_on(pair: _Pair, entries: Sequence[Entry]) -> None:
    for entry in entries:
        if entry.kind == "observe" and not pair.over:
            operation = operation_from_json(entry.kind, entry.body)
            assert isinstance(operation, Observe)
            pair.samples.add(operation.observation)
        pair.position = entry.seq


def _stretches(entries: Sequence[Entry]) -> Iterator[Stretch]:
    """What the rollbacks among these have undone."""
    for entry in entries:
        if entry.kind == "rollback":
            operation = operation_from_json(entry.kind, entry.body)
            assert isinstance(operation, Rollback)
            yield operation.to, entry.seq
