"""The breakers' rows, in both databases: one row a breaker, changed atomically by any number of processes, quickly."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from ace.core.breaker import Breaker, BreakerRule, BreakerState, ask, failed, reset, succeeded
from ace.errors import StoreUnavailable
from ace.repositories import statements
from ace.repositories.breaker_repository import PATIENCE_S, BreakerRepository
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from tests.playbooks import DOMAIN, add

RULE = BreakerRule(failure_threshold=3, recovery_timeout=60)


@pytest.fixture
def breakers(database: Database) -> BreakerRepository:
    return BreakerRepository(database)


def test_a_breaker_nobody_used_is_closed_and_has_no_row(breakers: BreakerRepository) -> None:
    assert breakers.load("generator") == Breaker(name="generator")
    assert breakers.all() == []


def test_a_row_comes_back_as_it_was_left(breakers: BreakerRepository) -> None:
    times = {"opened_at": 1772357400.123456, "probe_at": 1772357460.5}
    totals = {"generation": 2**40, "total_failures": 7, "total_successes": 2**33, "open_count": 1}
    row = Breaker(name="generator", state=BreakerState.HALF_OPEN, failures=2, **times, **totals)
    before, after = breakers.update("generator", lambda _: row)
    assert (before, after) == (Breaker(name="generator"), row)
    assert breakers.load("generator") == row
    breakers.update("Reflector", lambda breaker: breaker)
    assert [one.name for one in breakers.all()] == ["Reflector", "generator"]


def test_it_opens_probes_and_closes_by_the_table(breakers: BreakerRepository) -> None:
    for _ in range(3):
        breakers.update("generator", lambda row: failed(row, row.generation, RULE, now=100.0))
    assert breakers.load("generator").state == BreakerState.OPEN
    breakers.update("generator", lambda row: ask(row, RULE, now=160.0).breaker)
    assert breakers.load("generator").state == BreakerState.HALF_OPEN
    breakers.update("generator", lambda row: succeeded(row, row.generation))
    found = breakers.load("generator")
    assert (found.state, found.failures, found.open_count, found.total_failures) == (BreakerState.CLOSED, 0, 1, 3)


def test_an_error_in_the_decision_changes_nothing(breakers: BreakerRepository) -> None:
    with pytest.raises(ZeroDivisionError):
        breakers.update("generator", lambda row: replace(row, failures=1 // 0))
    assert breakers.all() == []


def count_failures(url: str, rounds: int) -> None:
    database = Database(url)
    breakers = BreakerRepository(database)
    rule = BreakerRule(failure_threshold=10**6)
    for _ in range(rounds):
        retry(partial(breakers.update, "generator", lambda row: failed(row, row.generation, rule, now=1.0)))


def retry(work: partial[tuple[Breaker, Breaker]]) -> None:
    """A busy test machine may make a second too short; an update that was refused was not counted."""
    for _ in range(60):
        try:
            work()
        except StoreUnavailable:
            continue
        return
    raise AssertionError("refused for a minute")


def test_processes_and_threads_count_every_failure(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=count_failures, args=(url, 50)) for _ in range(2)]
    for process in processes:
        process.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: count_failures(url, 10), range(4)))
    for process in processes:
        process.join(120)
    found = BreakerRepository(database).load("generator")
    assert (found.failures, found.total_failures) == (140, 140)


def test_a_reset_is_seen_by_everybody_at_once(database: Database) -> None:
    mine, theirs = BreakerRepository(database), BreakerRepository(Database(database.url.render_as_string(False)))
    mine.update("generator", lambda row: replace(row, state=BreakerState.OPEN, generation=1))
    assert theirs.load("generator").state == BreakerState.OPEN
    theirs.update("generator", reset)
    assert mine.load("generator").state == BreakerState.CLOSED


def test_a_held_row_is_given_up_on_soon(database: Database, breakers: BreakerRepository) -> None:
    breakers.update("generator", lambda row: replace(row, failures=1))
    with database.transaction() as session:
        session.rows(statements.LOCK_BREAKER, name="generator")
        start = time.monotonic()
        with pytest.raises(StoreUnavailable, match="Another writer holds it"):
            breakers.update("generator", reset)
        assert time.monotonic() - start < PATIENCE_S + 2
        assert breakers.load("generator").failures == 1, "readers do not wait"


def test_breakers_do_not_hold_up_the_playbook(database: Database, breakers: BreakerRepository) -> None:
    store = PlaybookRepository(database)

    def decide(row: Breaker) -> Breaker:
        assert store.head(DOMAIN).seq == 0
        return replace(row, failures=1)

    breakers.update("generator", decide)
    add(store, "advice")
    assert store.head(DOMAIN).seq == 1
