"""A worse release is rolled back by itself, once, with the figures as its reason; the next release is watched again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest

from ace.core.ports import PlaybookStore, ReleaseStore
from ace.models.guardrail import Bounds, Gauge, Mode, State
from ace.models.observation import Observation
from ace.models.plan import Observe, Quarantine
from ace.models.playbook import PlaybookStage
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.release_repository import ReleaseRepository
from ace.services.guarding import Guarding
from ace.services.releases import Releases
from ace.services.rollback import Rollbacks
from ace.services.time_travel import TimeTravel
from ace.testing.clock import FrozenClock
from ace.testing.playbook import InMemoryPlaybook
from ace.testing.releases import InMemoryReleases
from ace.utils import stage_log
from tests.playbooks import DOMAIN, add, assert_sound, write


@dataclass
class Stand:
    """A domain whose releases are tried."""

    store: PlaybookStore = field(default_factory=InMemoryPlaybook)
    kept: ReleaseStore = field(default_factory=InMemoryReleases)
    number: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.clock = FrozenClock()
        self.releases = Releases(self.store, self.kept, self.clock)
        self.rollbacks = Rollbacks(self.store, TimeTravel(self.store, self.releases), self.clock)

    def guarding(self, mode: Mode = Mode.ON) -> Guarding:
        return Guarding(self.store, self.kept, self.rollbacks, mode=mode, bounds=Bounds())

    def release(self, name: str) -> str:
        """A lesson more, and a release; the lesson's id."""
        (own,) = add(self.store, f"lesson of {name}")
        self.releases.create(DOMAIN, name)
        self.clock.advance(1)
        return own

    def tasks(self, n: int, right: float, at: int | None = None) -> None:
        """Reports of that many tasks given the playbook as it is now, or as of `at`."""
        position = self.store.head(DOMAIN).seq if at is None else at
        seen = [Observation(episode_id=f"e{next(self.number)}", success=i < right * n, position=position)
                for i in range(n)]  # fmt: skip
        write(self.store, *(Observe(observation=one) for one in seen))

    def two(self, right: float) -> str:
        """A good release, and one with this share of tasks right; the lesson of the second."""
        self.release("v1")
        self.tasks(200, 0.8)
        own = self.release("v2")
        self.tasks(200, right)
        return own

    def rollback_entries(self) -> list[dict[str, object]]:
        return [dict(entry.body) for entry in self.store.entries(DOMAIN) if entry.kind == "rollback"]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    if request.param == "memory":
        yield Stand()
        return
    opened = Database(request.getfixturevalue(f"{request.param}_url"))
    yield Stand(PlaybookRepository(opened), ReleaseRepository(opened))
    opened.close()


def test_a_worse_release_is_rolled_back_once_and_the_journal_says_why(stand: Stand) -> None:
    bad = stand.two(right=0.5)
    guarding = stand.guarding()
    assert guarding.look(DOMAIN).would == "roll back to release:v1"
    done = guarding.guard(DOMAIN)
    assert done.position is not None
    (entry,) = stand.rollback_entries()
    assert entry["to"] == stand.releases.get(DOMAIN, "v1").position
    assert str(entry["reason"]).startswith("guardrail: release v2 is worse than v1; success: 80.0% (n=200) to 50.0%")
    assert stand.store.get(DOMAIN, bad) is None
    again = [guarding.guard(DOMAIN), stand.guarding().guard(DOMAIN)]
    assert [one.state for one in again] == [State.ROLLED_BACK] * 2
    assert len(stand.rollback_entries()) == 1
    assert_sound(stand.store)


def test_what_was_quarantined_since_stays_in_quarantine(stand: Stand) -> None:
    poison = stand.release("v1")
    stand.tasks(200, 0.8)
    write(stand.store, Quarantine(bullet_id=poison, reason="it is not ours"))
    stand.release("v2")
    stand.tasks(200, 0.5)
    assert stand.guarding().guard(DOMAIN).position is not None
    found = stand.store.get(DOMAIN, poison)
    assert found is not None
    assert found.stage == PlaybookStage.QUARANTINED
    assert_sound(stand.store)


@pytest.mark.parametrize(
    ("mode", "right", "state", "would"),
    [
        pytest.param(Mode.ON, 0.78, State.GOOD, "nothing", id="no-worse"),
        pytest.param(Mode.WATCH, 0.5, State.WORSE, "tell", id="only-told"),
        pytest.param(Mode.OFF, 0.5, State.WORSE, "nothing", id="off"),
    ],
)
def test_nothing_is_changed_where_nothing_is_to_be(mode: Mode, right: float, state: State, would: str) -> None:
    stand = Stand()
    stand.two(right)
    guarding = stand.guarding(mode)
    found = guarding.look(DOMAIN)
    assert (found.state, found.would) == (state, would)
    guarding.guard(DOMAIN)
    assert stand.rollback_entries() == []


def test_one_release_is_compared_with_nothing() -> None:
    stand = Stand()
    assert stand.guarding().guard(DOMAIN).state == State.ALONE
    stand.release("v1")
    stand.tasks(300, 0.1)
    stand.releases.create(DOMAIN, "v2")
    stand.releases.create(DOMAIN, "the-same-position")
    found = stand.guarding().guard(DOMAIN)
    assert (found.state, found.previous and found.previous.name) == (State.GOOD, "v1")


def test_late_reports_count_for_the_release_they_were_given() -> None:
    stand = Stand()
    stand.release("v1")
    first = stand.store.head(DOMAIN).seq
    stand.tasks(200, 0.8)
    stand.release("v2")
    guarding = stand.guarding()
    guarding.look(DOMAIN)
    stand.tasks(50, 0.0, at=first)
    success = guarding.look(DOMAIN).findings[0]
    assert (success.n_before, success.n_now) == (250, 0)
    stand.tasks(10, 1.0)
    carried_on, anew = guarding.look(DOMAIN), stand.guarding().look(DOMAIN)
    assert carried_on == anew
    assert carried_on.findings[0].n_now == 10


def test_after_a_rollback_the_next_release_is_compared_with_the_one_that_stands() -> None:
    stand = Stand()
    stand.two(right=0.5)
    guarding = stand.guarding()
    guarding.guard(DOMAIN)
    stand.tasks(100, 0.8)  # under v1 again
    stand.release("v3")
    stand.tasks(100, 0.8)
    found = guarding.guard(DOMAIN)
    assert (found.previous and found.previous.name, found.current and found.current.name) == ("v1", "v3")
    success = found.findings[0]
    assert (success.n_before, success.n_now, found.state) == (300, 100, State.GOOD), "what v2 did counts for nobody"
    assert found == stand.guarding().guard(DOMAIN)


def test_it_is_told_once_by_log_and_metric_and_the_rollback_too(caplog: pytest.LogCaptureFixture) -> None:
    for mode, events in (
        (Mode.WATCH, ["guardrail_tripped"]),
        (Mode.ON, ["guardrail_tripped", "guardrail_rolled_back"]),
    ):
        stand = Stand()
        stand.two(right=0.5)
        guarding = stand.guarding(mode)
        caplog.clear()
        for _ in range(3):
            stage_log.guarded(guarding.guard(DOMAIN))
        assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == events
        assert caplog.records[0].__dict__["kind"] == Gauge.SUCCESS
