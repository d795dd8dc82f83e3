"""The stage manager inside the server: a thread that promotes and quarantines in every domain, every so often,
watches their releases, anchors the heads of their journals, tends their index, and, less often, refines them.

Any number of processes may have one; the one that holds the lease `stage_manager` does the work. It renews the lease
while it lives; when it is killed the lease runs out and another process goes on. What is due when is
`ace.core.schedule`.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from ace.config import Settings
from ace.core.ports import Clock, Leases, PlaybookStore
from ace.core.schedule import LEASE_S, is_due, pause
from ace.errors import AceError
from ace.models.guardrail import Watch
from ace.models.integrity import Anchor
from ace.models.refining import Refined
from ace.models.staging import Advance
from ace.services.staging import Staging
from ace.utils import stage_log

LEASE = "stage_manager"
STOP_S = 10.0  # how long `stop` waits for a run that is under way
LOOK_S = 10.0  # how long a run goes on comparing a domain's bullets; the next run goes on where it stopped

Refine = Callable[[str, Callable[[], bool]], Refined]
"""Refines a domain, and asks now and then whether to go on comparing."""


class Parts(Protocol):
    """What the schedule uses of the application."""

    @property
    def settings(self) -> Settings: ...

    @property
    def store(self) -> PlaybookStore: ...

    @property
    def leases(self) -> Leases: ...

    @property
    def staging(self) -> Staging: ...

    @property
    def clock(self) -> Clock: ...


class StageSchedule:
    """Made, started and stopped in the process that serves. `observe` is told of every domain's run.

    After it, `guard` compares the domain's releases, and may roll it back; `anchor` writes its head down outside the
    database, if it has moved; and `tend` sees to the domain's index. When all domains had their turn, `refine` refines
    each, unless all were refined less than `refine_interval_s` ago.
    """

    def __init__(
        self,
        app: Parts,
        *,
        lease_s: float = LEASE_S,
        observe: Callable[[Advance], None] = stage_log.moved,
        holder: str | None = None,
        guard: Callable[[str], Watch] | None = None,
        anchor: Callable[[str], Sequence[Anchor]] = lambda _: (),
        refine: Refine | None = None,
        tend: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._app, self._lease_s, self._observe, self._anchor = app, lease_s, observe, anchor
        self._guard, self._refine, self._tend = guard, refine, tend
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._holder = holder or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._leads = False
        self._last: float | None = None
        self._refined: float | None = None

    def start(self) -> None:
        """Begin in a thread of its own, unless the interval is 0. The process must not fork afterwards."""
        if self._app.settings.stage_interval_s > 0:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._work, name="stage-manager", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End it, and leave the lease to another process at once."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            self._thread = None

    def _work(self) -> None:
        while not self._stopping.wait(self.step()):
            pass
        try:
            self._app.leases.release(LEASE, self._holder)
        except AceError as error:  # it runs out by itself
            stage_log.failed(error)

    def step(self) -> float:
        """Do what is due now; the seconds until the next look."""
        interval, look = self._app.settings.stage_interval_s, self._lease_s / 3
        try:
            self._renew()
            if is_due(self._seconds(), leads=self._leads, last=self._last, interval_s=interval):
                self._advance_all()
        except AceError as error:
            stage_log.failed(error)
            return look
        return pause(self._seconds(), leads=self._leads, last=self._last, interval_s=interval, look_s=look)

    def _renew(self) -> bool:
        now = self._app.clock.now().timestamp()
        led = self._leads
        self._leads = self._app.leases.acquire(LEASE, self._holder, now=now, seconds=self._lease_s)
        if self._leads and not led:
            self._last = self._refined = None
            stage_log.leads(self._holder)
        return self._leads

    def _advance_all(self) -> None:
        started, run = self._seconds(), []
        for domain_id in self._app.store.domains():
            if not self._goes_on():
                return
            run.append(self._app.staging.advance(domain_id))
            self._observe(run[-1])
            self._watch(domain_id)
            self._vouch(domain_id)
            self._see_to_index(domain_id)
        self._last = started
        stage_log.ran(run, self._app.clock.now().timestamp())
        if is_due(started, leads=True, last=self._refined, interval_s=self._app.settings.refine_interval_s):
            self._refine_all(started)

    def _refine_all(self, started: float) -> None:
        complete = True
        for domain_id in self._app.store.domains() if self._refine else ():
            if not self._goes_on():
                return
            complete &= self._refine_one(domain_id)
        self._refined = started if complete else None

    def _refine_one(self, domain_id: str) -> bool:
        """Refine it, and say whether that is all for now; what hinders it does not hinder the others."""
        assert self._refine is not None
        until = self._seconds() + LOOK_S
        try:
            done = self._refine(domain_id, lambda: self._seconds() < until and self._goes_on())
        except AceError as error:
            stage_log.not_refined(domain_id, error)
            return True
        stage_log.refined(done)
        return done.complete

    def _goes_on(self) -> bool:
        return not self._stopping.is_set() and self._renew()

    def _watch(self, domain_id: str) -> None:
        """Compare the releases; what hinders it does not hinder the run."""
        try:
            if self._guard is not None:
                stage_log.guarded(self._guard(domain_id))
        except AceError as error:
            stage_log.not_guarded(domain_id, error)

    def _vouch(self, domain_id: str) -> None:
        """Anchor the head; what hinders it does not hinder the run."""
        try:
            stage_log.anchored(self._anchor(domain_id))
        except AceError as error:
            stage_log.not_anchored(domain_id, error)

    def _see_to_index(self, domain_id: str) -> None:
        """Have the domain's index fit its size; what hinders it does not hinder the run."""
        try:
            self._tend(domain_id)
        except AceError as error:
            stage_log.not_tended(domain_id, error)

    def _seconds(self) -> float:
        return self._app.clock.monotonic()
