"""`scripts/check_indexes.sql`, run by psql on a real Postgres: what is missing, unused or bloated is said."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from ace.repositories import tables

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_indexes.sql"
PSQL = shutil.which("psql")
pytestmark = pytest.mark.skipif(PSQL is None, reason="psql is not on this machine")


def report(url: str) -> dict[str, list[list[str]]]:
    """The rows of each part of the report, by the part's title."""
    command = [str(PSQL), plain(url), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", str(SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    parts: dict[str, list[list[str]]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("== "):
            parts[line.strip("= ")] = rows = []
        elif "|" in line:
            rows.append(line.split("|"))
    return parts


def part(url: str, title: str) -> dict[str, list[str]]:
    return next({row[0]: row[1:] for row in rows} for name, rows in report(url).items() if title in name)


def plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        for words in statements:
            connection.execute(words.encode())


def test_every_index_of_this_release_is_looked_for_and_found(postgres_url: str) -> None:
    ours = {str(index.name) for table in tables.metadata.tables.values() for index in table.indexes}
    found = part(postgres_url, "relies on")
    assert {"idx_playbook_bullets_domain_stage", "idx_playbook_bullets_section"} <= ours
    assert {name: row[1] for name, row in found.items()} == dict.fromkeys(ours, "exists")


@pytest.mark.parametrize("name", ["idx_playbook_bullets_domain_stage", "idx_playbook_bullets_section"])
def test_a_missing_index_is_named_and_the_remedy_mends_it(postgres_url: str, name: str) -> None:
    execute(postgres_url, f"DROP INDEX {name}")
    _, status, remedy = part(postgres_url, "relies on")[name]
    assert status == "MISSING"
    execute(postgres_url, remedy)
    assert part(postgres_url, "relies on")[name][1] == "exists"


def test_an_unused_index_and_a_bloated_one_are_named(postgres_url: str) -> None:
    execute(
        postgres_url,
        "CREATE TABLE extra (number int NOT NULL)",
        "CREATE INDEX idx_extra ON extra(number)",
        "INSERT INTO extra SELECT generate_series(1, 200000)",
        "DELETE FROM extra WHERE number % 20 <> 0",
        "VACUUM ANALYZE extra",
    )
    assert "idx_extra" in part(postgres_url, "nobody has used")
    *_, status, remedy = part(postgres_url, "Size of every index")["idx_extra"]
    assert (status, remedy) == ("BLOATED", "REINDEX INDEX CONCURRENTLY idx_extra;")
    execute(postgres_url, remedy, "VACUUM ANALYZE extra")
    assert part(postgres_url, "Size of every index")["idx_extra"][3] == "ok"
    assert part(postgres_url, "Size of every index")["pk_playbook_bullets"][3] == "ok"
