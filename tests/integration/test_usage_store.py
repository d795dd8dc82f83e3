"""The contract of what domains spend, in memory and in both databases: sums by day, of which nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ace.core.ports import UsageStore
from ace.models.usage import DayUsage, Spent
from ace.repositories.database import Database
from ace.repositories.usage_repository import UsageRepository
from ace.testing.usage import InMemoryUsage

A, B, MONDAY, TUESDAY = "customer-a", "customer-b", "2026-11-23", "2026-11-24"


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def usage(request: pytest.FixtureRequest) -> Iterator[UsageStore]:
    if request.param == "memory":
        yield InMemoryUsage()
        return
    opened = Database(request.getfixturevalue(f"{request.param}_url"), patience=30)
    yield UsageRepository(opened)
    opened.close()


def test_a_day_starts_at_nothing_and_adds_up(usage: UsageStore) -> None:
    assert usage.spent(A, MONDAY) == Spent()
    usage.add(A, MONDAY, Spent(calls=1, tokens=2**40, cost_usd=0.25))
    usage.add(A, MONDAY, Spent(calls=2, tokens=1, cost_usd=0.5))
    assert usage.spent(A, MONDAY) == Spent(calls=3, tokens=2**40 + 1, cost_usd=0.75)
    assert (usage.spent(A, TUESDAY), usage.spent(B, MONDAY)) == (Spent(), Spent())


def test_the_latest_days_come_first(usage: UsageStore) -> None:
    for domain, day in ((A, MONDAY), (B, TUESDAY), (A, TUESDAY)):
        usage.add(domain, day, Spent(calls=1))
    assert usage.days(limit=9) == [DayUsage(domain_id=domain, day=day, spent=Spent(calls=1))
                                   for domain, day in ((A, TUESDAY), (B, TUESDAY), (A, MONDAY))]  # fmt: skip
    assert [one.day for one in usage.days(A, limit=9)] == [TUESDAY, MONDAY]
    assert [one.day for one in usage.days(A, limit=1)] == [TUESDAY]


def test_of_many_who_add_at_once_nothing_is_lost(usage: UsageStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: usage.add(A, MONDAY, Spent(calls=1, tokens=3)), range(40)))
    assert usage.spent(A, MONDAY) == Spent(calls=40, tokens=120)
