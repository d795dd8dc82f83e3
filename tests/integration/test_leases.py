"""The contract of leases, in memory and in both databases: at most one holder, who may renew, and who may die."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ace.core.ports import Leases
from ace.repositories import schema
from ace.repositories.database import Database
from ace.repositories.lease_repository import LeaseRepository
from ace.testing.leases import InMemoryLeases


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def leases(request: pytest.FixtureRequest) -> Iterator[Leases]:
    if request.param == "memory":
        yield InMemoryLeases()
        return
    opened = Database(request.getfixturevalue(f"{request.param}_url"), patience=30)
    yield LeaseRepository(schema.require_head(opened))
    opened.close()


def test_a_free_lease_is_taken_and_nobody_else_gets_it(leases: Leases) -> None:
    assert leases.holder("job", now=100) is None
    assert leases.acquire("job", "one", now=100, seconds=30)
    assert not leases.acquire("job", "two", now=129.9, seconds=30)
    assert leases.holder("job", now=129.9) == "one"
    assert leases.acquire("other job", "two", now=100, seconds=30)


def test_its_holder_renews_it(leases: Leases) -> None:
    assert leases.acquire("job", "one", now=100, seconds=30)
    assert leases.acquire("job", "one", now=120, seconds=30)
    assert not leases.acquire("job", "two", now=140, seconds=30)


def test_one_that_has_run_out_is_anybodys(leases: Leases) -> None:
    assert leases.acquire("job", "one", now=100, seconds=30)
    assert leases.holder("job", now=130) is None
    assert leases.acquire("job", "two", now=130, seconds=30)
    assert not leases.acquire("job", "one", now=131, seconds=30)


def test_only_its_holder_gives_it_back(leases: Leases) -> None:
    assert leases.acquire("job", "one", now=100, seconds=30)
    leases.release("job", "two")
    assert not leases.acquire("job", "two", now=101, seconds=30)
    leases.release("job", "one")
    assert leases.acquire("job", "two", now=101, seconds=30)
    leases.release("never taken", "one")


def test_of_many_who_ask_at_once_one_gets_it(leases: Leases) -> None:
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda number: leases.acquire("job", f"p{number}", now=100, seconds=30), range(24)))
    assert got.count(True) == 1
