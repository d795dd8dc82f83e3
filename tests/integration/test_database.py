"""What goes wrong with a database is said in our words, with a remedy, without a password, and in good time."""

from __future__ import annotations

import errno
import os
import resource
import select
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ace.config import get_settings
from ace.errors import InvalidInput, StoreUnavailable
from ace.models.plan import Add
from ace.models.playbook import PlaybookStage
from ace.repositories import statements
from ace.repositories.database import Database, get_database, parse
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.postgres import POOL_SIZE
from tests.playbooks import DOMAIN, add, assert_sound, bullet, write

SECRET = "s3cr3t/%40word"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param(f"postgresql://ace:{SECRET}@host:port/db", "cannot be read", id="port-is-no-number"),
        pytest.param(f"no url {SECRET}", "cannot be read", id="no-url"),
        pytest.param(f"mysql://ace:{SECRET}@host/db", "'mysql' is not supported", id="another-kind"),
        pytest.param("sqlite://", "names no file", id="in-memory"),
        pytest.param("sqlite:///:memory:", "names no file", id="in-memory-by-name"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_repeating_it(url: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        Database(url)
    assert "ACE_DATABASE_URL" in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_way_to_say_postgres_means_psycopg_3(scheme: str) -> None:
    assert parse(f"{scheme}://ace@host/db").drivername == "postgresql+psycopg"


def test_a_relative_path_stays_where_it_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = PlaybookRepository(Database("sqlite:///here/ace.db"))
    monkeypatch.chdir("/")
    add(store, "advice")
    assert (tmp_path / "here" / "ace.db").exists()


def test_without_a_database_the_settings_name_it(data_dir: Path) -> None:
    add(PlaybookRepository(), "advice")
    assert (data_dir / "ace.db").exists()
    assert len(PlaybookRepository().get_all(DOMAIN, stage=PlaybookStage.SHADOW)) == 1
    assert get_database() is get_database()
    assert get_settings().database.endswith("ace.db")


def test_nobody_there_is_an_outage_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(StoreUnavailable, match="Check that the server runs") as outage:
        PlaybookRepository(Database(f"postgresql://ace:{SECRET}@127.0.0.1:{port}/ace"))
    assert_no_secret(outage.value)


def test_a_server_that_never_answers_is_an_outage_in_good_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.monotonic()
        url = f"postgresql://ace:{SECRET}@127.0.0.1:{server.getsockname()[1]}/ace"
        with pytest.raises(StoreUnavailable) as outage:
            PlaybookRepository(Database(url, patience=2))
    assert time.monotonic() - start < 5  # seconds; libpq's shortest connect_timeout is 2
    assert_no_secret(outage.value)


def test_a_database_that_is_not_there_is_named_without_the_password(postgres_url: str) -> None:
    url = parse(postgres_url).set(database="absent", password="s3cr3t", username="postgres")
    with pytest.raises(StoreUnavailable, match=r'"absent" does not exist.*Create that database') as outage:
        PlaybookRepository(Database(url.render_as_string(hide_password=False)))
    assert_no_secret(outage.value)
    assert "s3cr3t" not in repr(Database(url.render_as_string(hide_password=False)))


def assert_no_secret(error: BaseException | None) -> None:
    while error is not None:
        assert "s3cr3t" not in f"{error} {error!r}"
        error = error.__cause__


class Forwarder:
    """A TCP door to a Unix socket that can fall silent, as a network does."""

    def __init__(self, target: str) -> None:
        self._target, self.silent = target, threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._target)
            other = {client: server, server: client}
            while True:
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    while self.silent.is_set():
                        time.sleep(0.01)
                    other[ready].sendall(data)

    def close(self) -> None:
        self.silent.clear()
        self._server.close()


@pytest.fixture
def forwarder(postgres_url: str) -> Iterator[Forwarder]:
    folder = str(parse(postgres_url).query["host"])
    door = Forwarder(f"{folder}/.s.PGSQL.5432")
    yield door
    door.close()


def test_a_server_that_falls_silent_is_given_up_on(postgres_url: str, forwarder: Forwarder) -> None:
    url = parse(postgres_url).difference_update_query(["host"]).set(host="127.0.0.1", port=forwarder.port)
    database = Database(url.render_as_string(hide_password=False), patience=0.3, durable=False)
    store = PlaybookRepository(database)
    add(store, "before")
    forwarder.silent.set()
    start = time.monotonic()
    with pytest.raises(StoreUnavailable):
        store.head(DOMAIN)
    assert time.monotonic() - start < 4  # seconds: the check of the pooled connection, then a new one
    forwarder.silent.clear()
    add(store, "after")
    assert_sound(store)
    database.close()


def test_a_statement_that_takes_too_long_is_stopped_by_the_server(postgres_url: str) -> None:
    database = Database(postgres_url, patience=0.2, durable=False)
    with pytest.raises(StoreUnavailable, match=r"statement timeout.*took too long"):
        database.rows(statements.statement("SELECT pg_sleep(30)"))
    assert database.rows(statements.statement("SELECT 1")) == [(1,)]
    database.close()


BREAK_OFF = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name = 'ace' AND datname = current_database()"
)
"""Every connection of ours to this database; other tests use other databases of the same server."""


def test_connections_the_server_broke_off_are_replaced_unnoticed(postgres_url: str) -> None:
    database = Database(postgres_url)
    store = PlaybookRepository(database)
    add(store, "advice")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        assert connection.execute(BREAK_OFF).fetchone() != (0,)
    assert len(store.get_all(DOMAIN)) == 1
    add(store, "more")
    database.close()


def test_a_broken_off_transaction_leaves_nothing(postgres_url: str) -> None:
    database = Database(postgres_url)
    store = PlaybookRepository(database)
    with pytest.raises(StoreUnavailable), store.transaction(DOMAIN) as transaction:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(BREAK_OFF)
        transaction.remember("key", "hash", {})
    assert store.domains() == []
    add(store, "advice")
    assert_sound(store)
    database.close()


def test_more_threads_than_connections_take_turns(postgres_url: str) -> None:
    database = Database(postgres_url)
    store = PlaybookRepository(database)
    add(store, "advice")
    with ThreadPoolExecutor(POOL_SIZE * 4) as pool:
        assert set(pool.map(lambda _: store.head(DOMAIN).seq, range(200))) == {1}
    database.close()


def test_what_the_url_asks_of_the_server_is_kept(postgres_url: str) -> None:
    url = parse(postgres_url).update_query_dict({"application_name": "mine", "options": "-c work_mem=12345kB"})
    database = Database(url.render_as_string(hide_password=False))
    shown = [database.rows(statements.statement(f"SHOW {name}"))[0][0] for name in
             ("application_name", "work_mem", "lock_timeout", "statement_timeout", "synchronous_commit")]  # fmt: skip
    assert shown == ["mine", "12345kB", "10s", "1min", "on"]
    database.close()


@pytest.mark.parametrize(("durable", "expected"), [(True, (2, "wal", 1)), (False, (1, "wal", 1))])
def test_sqlite_is_set_up_to_keep_what_it_acknowledged(sqlite_url: str, durable: bool, expected: Any) -> None:
    PlaybookRepository(Database(sqlite_url))
    database = Database(sqlite_url, durable=durable)
    names = ("synchronous", "journal_mode", "foreign_keys")
    with database.transaction() as session:
        found = tuple(session.rows(statements.statement(f"PRAGMA {name}"))[0][0] for name in names)
    assert found == expected


def test_readers_of_sqlite_cannot_write(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    PlaybookRepository(database)
    with pytest.raises(StoreUnavailable, match="readonly"):
        database.rows(statements.statement("DELETE FROM domains"))


def test_a_path_that_is_no_file_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="Check that the file and its folder exist"):
        PlaybookRepository(Database(f"sqlite:///{tmp_path}"))


@pytest.mark.parametrize("damage", [b"this is not a database at all" * 200, b"\0" * 4096])
def test_a_damaged_file_is_an_outage_that_says_restore(sqlite_url: str, damage: bytes) -> None:
    path = Path(str(parse(sqlite_url).database))
    path.write_bytes(damage)
    with pytest.raises(StoreUnavailable, match="restore it from a backup"):
        PlaybookRepository(Database(sqlite_url))
    assert path.read_bytes() == damage


def test_a_full_disk_is_an_outage_and_nothing_is_half_written(sqlite_url: str) -> None:
    store = PlaybookRepository(Database(sqlite_url))
    add(store, "advice")
    child = os.fork()
    if child == 0:  # a process that may write no file larger than 256 KiB: the kernel refuses, as a full disk does
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, 256 * 1024))
        os._exit(_writes_until_refused(store))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.ENOSPC
    entries = assert_sound(store)
    assert len(entries) > 1
    assert (len(entries) - 1) % 20 == 0
    add(store, "and there is room again")


def _writes_until_refused(store: PlaybookRepository) -> int:
    try:
        for number in range(1000):
            write(store, *(Add(bullet=bullet(f"{number} {n} " + "x" * 500)) for n in range(20)))
    except StoreUnavailable as error:
        return errno.ENOSPC if "Free some disk space" in str(error) else 1
    return 0


def test_a_file_put_in_place_of_another_is_read_at_once(sqlite_url: str, tmp_path: Path) -> None:
    path, kept = Path(str(parse(sqlite_url).database)), tmp_path / "kept.db"
    store = PlaybookRepository(Database(sqlite_url))
    add(store, "one")
    backup = Database(f"sqlite:///{kept}")
    add(PlaybookRepository(backup), "one of the backup", "another of the backup")
    backup.close()
    kept.replace(path)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    assert len(store.get_all(DOMAIN)) == 2
    add(store, "three")
    assert len(assert_sound(store)) == 3


def test_a_file_that_was_removed_is_an_outage(sqlite_url: str) -> None:
    store = PlaybookRepository(Database(sqlite_url))
    add(store, "one")
    Path(str(parse(sqlite_url).database)).unlink()
    with pytest.raises(StoreUnavailable, match="unable to open"):
        add(store, "two")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        store.head(DOMAIN)


def test_a_fork_in_the_middle_of_its_own_transaction_is_refused_in_the_child(
    sqlite_url: str,
) -> None:
    store = PlaybookRepository(Database(sqlite_url, patience=0.2))
    with store.transaction(DOMAIN):
        child = os.fork()
        if child == 0:
            try:
                store.head(DOMAIN)
            except StoreUnavailable as error:
                os._exit(7 if "forked in the middle" in str(error) else 1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    add(store, "the parent goes on")
    assert_sound(store)


def test_every_statement_about_a_playbook_names_its_domain() -> None:
    every = {name: found for name, found in vars(statements).items() if isinstance(found, statements.Statement)}
    every |= {f"CLEAR[{number}]": found for number, found in enumerate(statements.CLEAR)}
    free = {name for name in every if "domain_id" not in every[name].sqlite}
    breakers = {"BREAKER", "BREAKERS", "LOCK_BREAKER", "FOUND_BREAKER", "SET_BREAKER"}
    keys = {"ADD_KEY", "KEY", "KEYS", "ANY_KEY", "REVOKE_KEY", "SECRET", "ADD_SECRET"}
    figures = {"STAGE_FIGURES", "EPISODE_FIGURES", "ASSIGNMENT_FIGURES", "WAITING_SINCE"}
    leases = {"ACQUIRE", "RELEASE", "HOLDER"}
    assert free == breakers | keys | figures | leases
    unbound = {name for name in set(every) - free if ":domain_id" not in every[name].sqlite}
    assert unbound == {"DOMAINS", "COUNT_ALL"}
