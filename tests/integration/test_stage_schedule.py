"""The stage manager inside the server: one process leads, works every interval, and is replaced when it dies."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ace.bootstrap import App
from ace.config import Settings, get_settings, load_settings
from ace.core.gates import Gate
from ace.core.ports import Leases, PlaybookStore
from ace.core.schedule import LEASE_S
from ace.errors import StoreUnavailable
from ace.models.plan import Archive, Restore
from ace.models.playbook import PlaybookStage
from ace.models.refining import Refined
from ace.models.staging import Advance
from ace.repositories.database import Database
from ace.repositories.lease_repository import LeaseRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.services.staging import Staging
from ace.testing.clock import FrozenClock
from ace.testing.leases import InMemoryLeases
from ace.testing.playbook import InMemoryPlaybook
from ace.utils.stage_schedule import LEASE, StageSchedule
from tests.playbooks import add, helpful, write

SHADOW, STAGING, PROD, _, _ = PlaybookStage
PATIENCE_S = 60.0


@dataclass
class Parts:
    """An application in memory, with a clock that stands still."""

    store: PlaybookStore = field(default_factory=InMemoryPlaybook)
    leases: InMemoryLeases = field(default_factory=InMemoryLeases)
    clock: FrozenClock = field(default_factory=FrozenClock)
    settings: Settings = field(default_factory=lambda: load_settings(stage_interval_s=300))

    @property
    def staging(self) -> Staging:
        return Staging(self.store, self.clock, levels={SHADOW: Gate(helpful_min=1, ratio_min=1.0)})


def proven(store: PlaybookStore, text: str, domain: str = "customer-a") -> str:
    (own,) = add(store, text, domain=domain)
    write(store, helpful(own, "e"), domain=domain)
    return own


def test_it_works_at_once_then_every_interval() -> None:
    parts = Parts()
    schedule, worked = StageSchedule(parts), []
    for seconds in range(0, 900, 10):
        own = proven(parts.store, f"advice {seconds}")
        schedule.step()
        if parts.store.get_many("customer-a", [own])[0].stage == STAGING:
            worked.append(seconds)
        parts.clock.advance(10)
    assert worked == [0, 300, 600]


def test_every_domain_has_its_turn_and_observers_are_told() -> None:
    parts, told = Parts(), list[Advance]()
    for domain in ("customer-a", "customer-b"):
        proven(parts.store, "advice", domain)
    schedule = StageSchedule(parts, observe=told.append)
    schedule.step()
    assert [(done.domain_id, done.promoted) for done in told] == [("customer-a", 1), ("customer-b", 1)]


def test_the_other_waits_and_takes_over_when_the_lease_runs_out() -> None:
    parts = Parts()
    one, other = StageSchedule(parts, holder="one"), StageSchedule(parts, holder="other")
    one.step()
    late = proven(parts.store, "learned later")
    assert 0 < other.step() <= LEASE_S / 3
    assert parts.store.get_many("customer-a", [late])[0].stage == SHADOW
    parts.clock.advance(LEASE_S)  # the one has died
    other.step()
    assert parts.store.get_many("customer-a", [late])[0].stage == STAGING
    assert parts.leases.holder(LEASE, now=parts.clock.now().timestamp()) == "other"


def test_refinement_follows_less_often_and_an_outage_of_it_hinders_nobody(caplog: pytest.LogCaptureFixture) -> None:
    parts, refined = (
        Parts(settings=load_settings(stage_interval_s=300, refine_interval_s=900)),
        list[tuple[str, float]](),
    )

    def refine(domain_id: str, go_on: Callable[[], bool]) -> Refined:
        assert go_on()
        refined.append((domain_id, parts.clock.monotonic()))
        if domain_id == "customer-a":
            raise StoreUnavailable("The database is away.")
        archived = Archive(bullet_id="b", reason="unused: 90 days")
        return Refined(domain_id=domain_id, operations=(archived, Restore(bullet_id="c", reason="learned again")))

    for domain in ("customer-a", "customer-b"):
        proven(parts.store, "advice", domain)
    schedule = StageSchedule(parts, refine=refine)
    with caplog.at_level(logging.INFO, logger="ace.stage_manager"):
        for _ in range(0, 1800, 100):
            schedule.step()
            parts.clock.advance(100)
    assert refined == [(domain, at) for at in (0.0, 900.0) for domain in ("customer-a", "customer-b")]
    events = {record.message: record.__dict__ for record in caplog.records}
    assert (events["bullets_archived"]["bullets"], events["bullets_archived"]["reason"]) == (1, "unused")
    assert events["bullet_restored"]["bullet_id"] == "c"
    assert events["playbook_not_refined"]["domain"] == "customer-a"


def test_a_refinement_that_is_not_complete_goes_on_with_the_next_run() -> None:
    parts, refined = Parts(settings=load_settings(stage_interval_s=300, refine_interval_s=900)), list[float]()

    def refine(domain_id: str, go_on: Callable[[], bool]) -> Refined:
        refined.append(parts.clock.monotonic())
        return Refined(domain_id=domain_id, complete=len(refined) > 1)

    proven(parts.store, "advice")
    schedule = StageSchedule(parts, refine=refine)
    for _ in range(0, 1800, 100):
        schedule.step()
        parts.clock.advance(100)
    assert refined == [0.0, 300.0, 1200.0]


@pytest.mark.parametrize("settings", [{"refine_interval_s": 0}, {"stage_interval_s": 0}])
def test_an_interval_of_nothing_refines_nothing(settings: dict[str, float]) -> None:
    parts, refined = Parts(settings=load_settings(**settings)), list[str]()

    def refine(domain_id: str, go_on: Callable[[], bool]) -> Refined:
        refined.append(domain_id)
        return Refined(domain_id=domain_id)

    proven(parts.store, "advice")
    StageSchedule(parts, refine=refine).step()
    assert refined == []


def test_an_outage_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts()
    schedule = StageSchedule(parts)
    own = proven(parts.store, "advice")
    parts.leases.outage = StoreUnavailable("The database is away.")
    assert schedule.step() == pytest.approx(LEASE_S / 3)
    assert ("ace.stage_manager", logging.WARNING, "stage_manager_failed") in caplog.record_tuples
    parts.leases.outage = None
    schedule.step()
    assert parts.store.get_many("customer-a", [own])[0].stage == STAGING


def test_an_interval_of_nothing_starts_nothing_and_a_stop_gives_the_lease_back() -> None:
    off = Parts(settings=load_settings(stage_interval_s=0))
    StageSchedule(off).start()
    assert off.leases.holder(LEASE, now=0) is None
    parts = Parts()
    schedule = StageSchedule(parts)
    schedule.start()
    until(lambda: parts.leases.holder(LEASE, now=parts.clock.now().timestamp()) is not None)
    schedule.stop()
    assert parts.leases.holder(LEASE, now=0) is None


def test_what_is_logged_says_which_bullet_moved_and_why(caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts()
    own = proven(parts.store, "advice")
    with caplog.at_level(logging.INFO, logger="ace.stage_manager"):
        StageSchedule(parts).step()
    events = {record.message: record.__dict__ for record in caplog.records}
    moved: Mapping[str, Any] = events["bullet_promoted"]
    assert (moved["domain"], moved["bullet_id"], moved["stage_to"]) == ("customer-a", own, "staging")
    assert moved["reason"].startswith("helpful=1 harmful=0")
    assert events["stage_manager_run"]["promoted"] == 1


# two processes, a real database, a kill


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


def serve(url: str, data_dir: Path) -> None:
    """A server process, as far as its schedule goes."""
    os.environ |= {"ACE_DATABASE_URL": url, "ACE_DATA_DIR": str(data_dir), "ACE_STAGE_INTERVAL_S": "0.2",
                   "ACE_PROMOTION_HELPFUL_MIN": "1", "ACE_PROMOTION_RATIO_MIN": "1"}  # fmt: skip
    get_settings.cache_clear()
    StageSchedule(App(), lease_s=1.5).start()
    signal.pause()


@contextlib.contextmanager
def servers(url: str, data_dir: Path) -> Iterator[dict[int, Any]]:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=serve, args=(url, data_dir)) for _ in range(2)]
    for process in processes:
        process.start()
    try:
        yield {process.pid: process for process in processes if process.pid is not None}
    finally:
        for process in processes:
            process.kill()
            process.join(PATIENCE_S)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def leader(leases: Leases) -> int | None:
    holder = leases.holder(LEASE, now=time.time())
    return int(holder.split(":")[1]) if holder else None


def test_two_processes_have_one_leader_and_when_it_is_killed_the_other_goes_on(url: str, tmp_path: Path) -> None:
    database = Database(url)
    store, leases = PlaybookRepository(database), LeaseRepository(database)

    def risen(own: str) -> bool:
        return store.get_many("customer-a", [own])[0].stage == STAGING

    before = proven(store, "learned before")
    with servers(url, tmp_path) as running:
        until(lambda: risen(before))
        first = leader(leases)
        assert first in running
        os.kill(first, signal.SIGKILL)
        after = proven(store, "learned after the kill")
        until(lambda: risen(after))
        assert leader(leases) in running.keys() - {first}
    kinds = [entry.kind for entry in store.entries("customer-a")]
    assert kinds.count("promote") == 2, "nothing was done twice"
    database.close()
