"""`scripts/migrate.sh`: the schema comes to this release, or stays a later one's that still serves it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ace.repositories import schema
from ace.repositories.database import Database

ROOT = Path(__file__).parents[2]
Migrate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def migrate(sqlite_url: str, data_dir: Path) -> Migrate:
    def run(code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "ACE_DATABASE_URL": sqlite_url, "ACE_DATA_DIR": str(data_dir),
                       "ACE_BACKUP_URL": str(data_dir / "backups"), **settings}  # fmt: skip
        done = subprocess.run([ROOT / "scripts/migrate.sh"], env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


def execute(url: str, words: str) -> None:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    with connection:
        connection.execute(words)
    connection.close()


def test_a_new_database_comes_to_this_release_and_again_is_no_harm(migrate: Migrate, sqlite_url: str) -> None:
    assert "a new database" in migrate().stdout
    assert schema.current(Database(sqlite_url)) == schema.HEAD
    migrate()
    assert schema.current(Database(sqlite_url)) == schema.HEAD


def test_an_older_database_comes_to_this_release(migrate: Migrate, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    schema.upgrade(database, schema.REVISIONS[0])
    migrate()
    assert schema.current(database) == schema.HEAD


def test_a_later_schema_that_serves_this_release_stays(migrate: Migrate, sqlite_url: str) -> None:
    schema.upgrade(Database(sqlite_url))
    execute(sqlite_url, "UPDATE alembic_version SET version_num = '9999'")
    assert "nothing to do" in migrate().stdout
    assert schema.current(Database(sqlite_url)) == "9999"
    execute(sqlite_url, "UPDATE schema_floor SET revision = '9999'")
    assert "9999" in migrate(code=2).stderr


def test_who_serves_others_gets_one_first_admin_key(migrate: Migrate) -> None:
    first = migrate(ACE_HOST="0.0.0.0").stdout
    assert "the first admin key follows" in first
    assert "the first admin key follows" not in migrate(ACE_HOST="0.0.0.0").stdout
