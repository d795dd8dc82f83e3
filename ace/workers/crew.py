"""The reflector's threads: each claims an episode or an assignment, has it done, and claims the next.

    nothing due               look again after 0.05 s, then twice as long, up to `poll_s`, keeping no database
                              connection by then; with `once` the thread ends
    the database is away      wait `poll_s`; with `once` the crew stops with that error
    a breaker is open         the episode is given back; wait until the breaker may be asked again, or stop likewise
    a domain's budget is      its episodes are put off; those of other domains go on
    the crew's is used up     the crew stops with that error
    any error not ours        logged with its traceback, the episode is postponed, the thread goes on
    told to stop              what is in hand may take GRACE_S seconds more, then it is given back

A thread that finishes after its episode was given back finds its lease gone and writes nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread

from ace.errors import AceError, BudgetExhausted, CircuitOpen, Outage
from ace.services.errands import Hand, Work
from ace.services.reflection import Ending, Reflected
from ace.system import private
from ace.utils import metrics
from ace.utils.files import disk_faults

GRACE_S = 5.0  # containers are given 10 s to stop
WATCH_S = 0.1
FIRST_LOOK_S = 0.05
BREAKER_WAIT_MAX_S = 60.0

log = logging.getLogger("ace.reflector")


@dataclass(slots=True)
class Summary:
    """What a crew did: episodes by their ending, and the figures of those that are done."""

    endings: Counter[Ending] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    error: AceError | None = None
    crashed: bool = False

    def count(self, reflected: Reflected) -> None:
        self.endings[reflected.ending] += 1
        self.figures.update(added=reflected.added, merged=reflected.merged, votes=reflected.votes)

    def to_json(self) -> dict[str, int]:
        figures = {name: self.figures[name] for name in ("added", "merged", "votes")}
        return {ending.value: self.endings[ending] for ending in Ending} | figures


class Crew:
    """`concurrency` threads on one kind of work, or several as one. `alive` is touched at every look and every end."""

    def __init__(
        self,
        work: Work,
        *,
        stop: Event,
        alive: Path,
        domain: str | None = None,
        once: bool = False,
        poll_s: float = 1.0,
        concurrency: int = 1,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self._todo, self._stop, self._alive = work, stop, alive
        self._domain, self._once, self._poll_s = domain, once, poll_s
        self._rest = rest
        place = f"{socket.gethostname()[:60]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._names = [f"{place}-{number}" for number in range(concurrency)]
        self._held: dict[str, Hand] = {}
        self._used_up: set[tuple[str, str]] = set()  # domains and days it was told of
        self._lock, self.summary = Lock(), Summary()

    def run(self) -> Summary:
        """Work until told to stop, or with `once` until nothing is due. Raises the error that stopped the crew."""
        threads = [Thread(target=self._thread, args=(name,), name=name, daemon=True) for name in self._names]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and not self._stop.wait(WATCH_S):
            pass
        self._let_finish(threads)
        if self.summary.error:
            raise self.summary.error
        return self.summary

    def _let_finish(self, threads: list[Thread]) -> None:
        end = time.monotonic() + GRACE_S
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0.0))
        with self._lock:
            left = list(self._held.values())
        for claim in left:
            try:
                self._note(self._todo.release(claim), 0.0)
            except Outage as error:
                log.warning("reflection_left_to_its_lease", extra=_about(claim) | {"error": str(error)})

    def _thread(self, name: str) -> None:
        ended = False
        try:
            self._work(name)
            ended = True
        except AceError as error:
            self._stop_with(error)
            ended = True
        finally:
            if not ended:  # a mistake in this program: Python prints it, the process ends and is started anew
                self.summary.crashed = True
                self._stop.set()

    def _work(self, name: str) -> None:
        idle_s = 0.0
        while not self._stop.is_set():
            self._touch()
            claim = self._claim(name)
            if claim is not None:
                self._take_on(name, claim)
                idle_s = 0.0
            elif self._once:
                return
            else:
                idle_s = min(self._poll_s, 2 * idle_s or FIRST_LOOK_S)
                if idle_s == self._poll_s:
                    self._rest()
                self._stop.wait(idle_s)

    def _claim(self, name: str) -> Hand | None:
        try:
            found: Hand | None = self._todo.claim(name, self._domain)
            return found
        except Outage as error:
            if self._once:
                raise
            log.warning("reflector_waits", extra={"error": str(error)})
            return None

    def _take_on(self, name: str, claim: Hand) -> None:
        with self._lock:
            self._held[name] = claim
        started = time.monotonic()
        reflected = self._reflect(claim)
        with self._lock:
            del self._held[name]
        self._touch()
        if reflected:
            self._note(reflected, time.monotonic() - started)
            self._heed(reflected.error)

    def _reflect(self, claim: Hand) -> Reflected | None:
        """What became of the episode; None when not even that could be written down: its lease will run out."""
        try:
            try:
                return self._todo.reflect(claim)
            except AceError:
                raise
            except Exception as error:
                log.exception("reflection_failed", extra=_about(claim))
                return self._todo.postpone(claim, f"{type(error).__name__}: {error}")
        except AceError as error:
            log.warning("reflection_left_to_its_lease", extra=_about(claim) | {"error": str(error)})
            return None

    def _note(self, reflected: Reflected, seconds: float) -> None:
        with self._lock:
            self.summary.count(reflected)
        facts = {"domain": reflected.domain_id, "episode": reflected.episode_id, "seconds": round(seconds, 3)}
        metrics.reflection_finished(reflected.ending.value)
        if reflected.ending == Ending.DONE:
            figures = {"added": reflected.added, "merged": reflected.merged, "votes": reflected.votes}
            log.info("reflection_complete", extra=facts | figures)
        elif reflected.ending == Ending.DEFERRED:
            self._tell_once(reflected)
        else:
            error = str(reflected.error or "")
            log.warning("reflection_not_done", extra=facts | {"ending": reflected.ending.value, "error": error})

    def _tell_once(self, deferred: Reflected) -> None:
        """Once for a domain and day; each of its episodes would say the same."""
        about = deferred.domain_id, deferred.day
        with self._lock:
            known = about in self._used_up
            self._used_up.add(about)
        if not known:
            log.warning("domain_budget_used_up", extra={"domain": deferred.domain_id, "reason": deferred.reason})

    def _heed(self, error: AceError | None) -> None:
        """What this error means for the episodes that are not claimed yet."""
        if isinstance(error, BudgetExhausted) or (isinstance(error, CircuitOpen) and self._once):
            raise error
        if isinstance(error, CircuitOpen):
            self._stop.wait(min(max(error.retry_after, self._poll_s), BREAKER_WAIT_MAX_S))

    def _stop_with(self, error: AceError) -> None:
        with self._lock:
            self.summary.error = self.summary.error or error
        self._stop.set()

    def _touch(self) -> None:
        with disk_faults(self._alive):
            self._alive.touch(private.FILE)


def _about(claim: Hand) -> dict[str, object]:
    return {"domain": claim.domain_id, "episode": claim.id, "attempt": claim.attempt}
