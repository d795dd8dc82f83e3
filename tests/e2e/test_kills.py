"""Whatever is killed, and whenever: what was acknowledged is there, and has had its effect once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.testing import checks
from tests.e2e.agents import Ledger
from tests.e2e.kills import as_line, siege, taught_once
from tests.playbooks import DOMAIN, add, helpful, write

REPORTS, ALL_REPORTS, SEED = 150, 2000, 20260301


def test_servers_reflectors_and_postgres_are_killed_and_nothing_is_lost_or_done_twice(
    tmp_path: Path, models_dir: Path, pytestconfig: pytest.Config
) -> None:
    reports = ALL_REPORTS if pytestconfig.getoption("--full") else REPORTS
    figures = siege(reports, SEED, tmp_path / "town", models_dir)
    print(as_line(figures))
    assert figures.complaints == []
    assert (figures.lost, figures.doubled, figures.postgres_restarts) == (0, 0, 1)
    assert figures.acknowledged + figures.unanswered == reports
    assert sum(figures.kills.values()) >= 3
    assert figures.entries > reports / 2


@pytest.mark.parametrize(("votes", "says"), [(1, "has (0, 1)"), (3, "has (0, 3)")], ids=["lost", "doubled"])
def test_a_direct_request_whose_effect_is_not_its_answer_is_named(sqlite_url: str, votes: int, says: str) -> None:
    database = Database(sqlite_url)
    store = PlaybookRepository(database)
    for own in add(store, "check the units", "round up", "read twice")[:votes]:
        write(store, helpful(own, "direct-1"))
    ledger = Ledger(taught={(DOMAIN, "direct-1"): {"outcomes": [{"outcome": "merged"}]}})
    (said,) = taught_once(checks.read(database), ledger)
    assert says in said
    database.close()
