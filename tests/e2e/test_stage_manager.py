"""`python -m ace.ops.stage_manager`, as an operator types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ace.models.playbook import PlaybookStage
from ace.repositories import schema
from ace.repositories.database import Database
from ace.repositories.lease_repository import LeaseRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.utils.stage_schedule import LEASE
from tests.playbooks import add, helpful, write

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(sqlite_url: str, tmp_path: Path) -> Run:
    def manage(*words: str, code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ACE_DATABASE_URL": sqlite_url, **settings}
        command = [sys.executable, "-m", "ace.ops.stage_manager", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return manage


@pytest.fixture
def store(sqlite_url: str) -> PlaybookRepository:
    store = PlaybookRepository(Database(sqlite_url))
    for domain in ("customer-a", "customer-b"):
        good, _ = add(store, "good advice", "new advice", domain=domain)
        write(store, *(helpful(good, f"e{number}") for number in range(3)), domain=domain)
    return store


def stages(store: PlaybookRepository, domain: str) -> list[str]:
    return [bullet.stage.value for bullet in store.get_all(domain)]


def test_it_promotes_once_and_says_which_and_why(run: Run, store: PlaybookRepository) -> None:
    planned = run("--domain", "customer-a", "--dry-run").stdout
    assert "1 would be promoted" in planned
    assert stages(store, "customer-a") == ["shadow", "shadow"]
    done = run("--domain", "customer-a").stdout
    assert "shadow -> staging: helpful=3 harmful=0 ratio=3.00, gate helpful>=3 ratio>=3.00" in done
    assert "stage_manager: 1 promoted, 0 quarantined in 1 domains" in done
    assert stages(store, "customer-a") == ["staging", "shadow"]
    assert stages(store, "customer-b") == ["shadow", "shadow"]
    assert "0 promoted" in run("--domain", "customer-a").stdout


def test_all_domains_at_once_for_machines(run: Run, store: PlaybookRepository) -> None:
    facts = json.loads(run("--all", "--json").stdout)
    assert (facts["promoted"], facts["quarantined"], facts["dry_run"]) == (2, 0, False)
    assert [move["to"] for move in facts["domains"]["customer-b"]] == [PlaybookStage.STAGING]


def test_the_settings_turn_the_gates(run: Run, store: PlaybookRepository) -> None:
    assert "0 promoted" in run("--all", ACE_PROMOTION_HELPFUL_MIN="4").stdout
    assert "2 promoted" in run("--all", ACE_PROMOTION_HELPFUL_MIN="2").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["--domain", "nobody"], "Known: customer-a, customer-b", id="unknown-domain"),
        pytest.param(["--domain", "No Body"], "is not a domain id", id="no-domain-id"),
        pytest.param([], "--all", id="nothing-named"),
        pytest.param(["--all", "--domain", "customer-a"], "not both", id="both-named"),
    ],
)
def test_a_wrong_call_says_what_to_type(run: Run, store: PlaybookRepository, words: list[str], says: str) -> None:
    assert says in run(*words, code=2).stderr


def test_the_schedule_reads_as_a_crontab_and_names_who_runs_it(run: Run, sqlite_url: str) -> None:
    assert "nobody runs it now" in run("--schedule").stdout
    leases = LeaseRepository(schema.require_head(Database(sqlite_url)))
    leases.acquire(LEASE, "ace-app:7", now=4e9, seconds=60)
    told = run("--schedule").stdout
    assert "process ace-app:7 runs it now" in told
    assert "*/5 * * * * python -m ace.ops.stage_manager --all" in told.splitlines()
    assert "stage_manager is off" in run("--schedule", ACE_STAGE_INTERVAL_S="0").stdout


def test_help_shows_an_example(run: Run) -> None:
    assert "--domain customer-a --dry-run" in run("--help").stdout
