"""Whatever is killed, and whenever: what was acknowledged is there, and has had its effect once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ace.models.observation import Observation
from ace.models.plan import Observe
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.testing import checks
from tests.e2e.agents import Ledger
from tests.e2e.kills import LEAST, PAUSE_S, Figures, as_line, observed_once, siege, taught_once
from tests.playbooks import DOMAIN, add, helpful, write

REPORTS, ALL_REPORTS, SEED = 150, 2000, 20260301


def test_servers_reflectors_and_postgres_are_killed_and_nothing_is_lost_or_done_twice(
    tmp_path: Path, models_dir: Path, pytestconfig: pytest.Config
) -> None:
    reports = ALL_REPORTS if pytestconfig.getoption("--full") else REPORTS
    pause_s = PAUSE_S if reports == ALL_REPORTS else (2.0, 5.0)  # what is killed takes seconds to start again
    figures = siege(Figures(seed=SEED, reports=reports, pause_s=pause_s), tmp_path / "town", models_dir)
    print(as_line(figures))
    assert figures.complaints == []
    assert (figures.lost, figures.doubled, figures.postgres_restarts) == (0, 0, 1)
    assert figures.acknowledged + figures.unanswered == reports
    assert sum(figures.kills.values()) >= LEAST
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


@pytest.mark.parametrize("times", [0, 2])
def test_a_report_that_was_not_observed_once_is_named(sqlite_url: str, times: int) -> None:
    database = Database(sqlite_url)
    store = PlaybookRepository(database)
    once, wrong = (Observe(observation=Observation(episode_id=own)) for own in ("report-1", "report-2"))
    write(store, once, *[wrong] * times)
    ledger = Ledger(acknowledged={(DOMAIN, "report-1"), (DOMAIN, "report-2")})
    assert observed_once(checks.read(database), ledger) == [f"{DOMAIN}: report-2 was observed {times} times"]
    database.close()
