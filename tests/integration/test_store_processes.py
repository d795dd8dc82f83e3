"""Several processes write, one dies: nothing is lost, nothing is doubled, nothing is half there."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import ace.repositories
from ace.core.journal import timestamp
from ace.core.replay import replay
from ace.errors import StoreUnavailable
from ace.models.journal import Entry
from ace.models.plan import Add, Operation, Promote, Relate
from ace.models.playbook import Link, PlaybookStage
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.playbook_transaction import PlaybookTransaction
from ace.repositories.statements import statement
from ace.testing import checks
from tests.playbooks import DOMAIN, NOW, add, assert_sound, bullet, helpful, vectors, write

SPAWN = multiprocessing.get_context("spawn")
HOUSE = str(Path(ace.repositories.__file__).parent)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


def assert_tables_are_the_journal(database: Database) -> None:
    """Every column of the tables is what the journal says it must be."""
    born: dict[str, tuple[int, str]] = {}  # seq and time of a bullet's birth
    votes, links = set(), set()
    store = PlaybookRepository(database)
    for entry in assert_sound(store):
        match entry.kind:
            case "add":
                born[entry.body["id"]] = (entry.seq, timestamp(entry.at))
            case "increment":
                votes.add((entry.body["bullet_id"], entry.body["episode_id"], entry.seq))
            case "relate":
                links.add((entry.body["left"], entry.body["right"], entry.seq))
    bullets = replay(store.entries(DOMAIN)).bullets.values()
    expected = {one.id: {**one.to_json(), "born_seq": born[one.id][0]} for one in bullets}
    columns = "domain_id, id, content, section, stage, helpful_count, harmful_count, origin, born_seq"
    rows = database.rows(statement(f"SELECT {columns} FROM playbook_bullets"))
    found = {row[1]: dict(zip(columns.split(", "), row, strict=True)) for row in rows}
    for row in found.values():
        row["origin"] = json.loads(row["origin"]) if isinstance(row["origin"], str) else row["origin"]
    assert found == expected
    assert set(database.rows(statement("SELECT bullet_id, episode_id, seq FROM bullet_votes"))) == votes
    assert set(database.rows(statement("SELECT left_id, right_id, seq FROM bullet_links"))) == links
    assert {row[0] for row in database.rows(statement("SELECT bullet_id FROM bullet_vectors"))} == set(born)


def learn(url: str, worker: int, rounds: int, shared: str) -> None:
    """One process's work: a bullet of its own and a vote on the shared one, each round in one transaction."""
    store = PlaybookRepository(Database(url, patience=60))
    for number in range(rounds):
        own = bullet(f"advice {number} of worker {worker}")
        episode = f"w{worker}/{number}"
        work: list[Operation] = [Add(bullet=own), helpful(shared, episode)]
        if number % 10 == 9:
            work.append(Relate(link=Link.between(own.id, shared)))
        write(store, *work)


def test_four_processes_lose_and_double_nothing(url: str) -> None:
    database = Database(url)
    (shared,) = add(PlaybookRepository(database), "shared advice")
    processes = [SPAWN.Process(target=learn, args=(url, worker, 100, shared)) for worker in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    store = PlaybookRepository(database)
    found = store.get(DOMAIN, shared)
    assert found is not None
    assert found.helpful_count == 400
    assert store.head(DOMAIN).seq == 1 + 4 * (100 + 100 + 10)
    assert_tables_are_the_journal(database)
    database.close()


def vote(url: str, worker: int, votes: int, shared: str) -> None:
    """One process's work: votes of its own episodes on the shared bullet, each in one transaction."""
    store = PlaybookRepository(Database(url, patience=60))
    for number in range(votes):
        write(store, helpful(shared, f"w{worker}/{number}"))


def test_four_processes_that_vote_on_one_bullet_lose_no_increment(url: str, pytestconfig: pytest.Config) -> None:
    """A thousand votes each; on Postgres, where that takes 20 s, only with --full."""
    database = Database(url)
    votes = 1000 if database.dialect == "sqlite" or pytestconfig.getoption("--full") else 250
    (shared,) = add(PlaybookRepository(database), "shared advice")
    processes = [SPAWN.Process(target=vote, args=(url, worker, votes, shared)) for worker in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    found = PlaybookRepository(database).get(DOMAIN, shared)
    assert found is not None
    assert found.helpful_count == 4 * votes
    assert checks.everything(database) == []
    database.close()


def test_threads_of_one_process_lose_nothing_either(url: str) -> None:
    database = Database(url, patience=60)
    store = PlaybookRepository(database)
    (shared,) = add(store, "shared advice")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write(store, helpful(shared, f"e{number}")), range(80)))
    assert store.get_all(DOMAIN)[0].helpful_count == 80
    assert_tables_are_the_journal(database)
    database.close()


def test_readers_do_not_wait_for_a_writer_and_see_its_commit_at_once(url: str) -> None:
    database, other = Database(url), Database(url)
    store, reader = PlaybookRepository(database), PlaybookRepository(other)
    add(store, "one")
    with store.transaction(DOMAIN) as transaction:
        work: list[Operation] = [Add(bullet=bullet("two"))]
        transaction.apply(work, vectors=vectors(work), now=NOW)
        start = time.perf_counter()
        assert len(reader.get_all(DOMAIN)) == len(store.get_all(DOMAIN)) == 1
        assert time.perf_counter() - start < 2  # seconds; the writer's patience is 10
    assert len(reader.get_all(DOMAIN)) == len(store.get_all(DOMAIN)) == 2
    database.close(), other.close()


def test_a_second_writer_waits_and_then_says_who_holds_it(url: str) -> None:
    database, hasty = Database(url), Database(url, patience=0.2)
    store, other = PlaybookRepository(database), PlaybookRepository(hasty)
    add(store, "one")
    with store.transaction(DOMAIN), pytest.raises(StoreUnavailable, match="Another writer holds it"):
        add(other, "two")
    add(other, "two")
    assert_sound(store)
    database.close(), hasty.close()


BATCH = 6


def batch(number: int, domain: str = DOMAIN) -> list[Operation]:
    """BATCH operations that touch every table."""
    one, two = bullet(f"always {number}", domain=domain), bullet(f"never {number}", domain=domain)
    return [
        Add(bullet=one),
        Add(bullet=two),
        Relate(link=Link.between(one.id, two.id)),
        helpful(one.id, f"e{number}"),
        helpful(two.id, f"e{number}"),
        Promote(bullet_id=one.id, to=PlaybookStage.STAGING, reason="r"),
    ]


def write_without_end(url: str, acknowledged: str) -> None:
    store = PlaybookRepository(Database(url))
    with Path(acknowledged).open("a") as log:
        for number in range(10**6):
            print(write(store, *batch(number))[-1].seq, file=log, flush=True)


@pytest.mark.parametrize("seconds", [0.003, 0.019])
def test_a_killed_writer_leaves_whole_batches_and_all_it_acknowledged(url: str, tmp_path: Path, seconds: float) -> None:
    log = tmp_path / "acknowledged"
    log.touch()
    process = SPAWN.Process(target=write_without_end, args=(url, str(log)))
    process.start()
    while not log.read_text():
        assert process.is_alive()
        time.sleep(0.002)
    time.sleep(seconds)
    process.kill()
    process.join()
    database = Database(url)
    head = PlaybookRepository(database).head(DOMAIN).seq
    assert head % BATCH == 0
    assert head >= int(log.read_text().split("\n")[-2])
    assert_tables_are_the_journal(database)
    add(PlaybookRepository(database), "and the next one writes")
    database.close()


def killed_at(line: int, make: Callable[[], PlaybookRepository], work: list[Operation], domain: str) -> bool:
    """Fork; the child writes and is killed -9 at the n-th line it runs of the store. False: it ended before that."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    count = 0

    def each_line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(HOUSE):
            return None
        count += event == "line"
        if count == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return each_line

    code = 1
    try:
        store = make()
        sys.settrace(each_line)
        write(store, *work, domain=domain)
        code = 0
    finally:
        os._exit(code)


def sweep(url: str, make: Callable[[Database], PlaybookRepository], stride: int) -> list[int]:
    """Kill the writer of one batch at every `stride`-th line, each in a new domain; how much each left behind."""
    database = Database(url)
    store = PlaybookRepository(database)
    left: list[int] = []
    domain = "d0"
    while killed_at(1 + len(left) * stride, lambda: make(Database(url)), batch(0, domain), domain):
        left.append(len(assert_sound(store, domain)))
        domain = f"d{len(left)}"
    database.close()
    return left


@pytest.mark.parametrize(("kind", "stride"), [("sqlite", 5), ("postgres", 9)])
def test_killed_at_any_line_a_batch_is_there_or_it_is_not(
    request: pytest.FixtureRequest, kind: str, stride: int
) -> None:
    left = sweep(request.getfixturevalue(f"{kind}_url"), PlaybookRepository, stride)
    assert len(left) > 20
    assert set(left) == {0, BATCH} if stride < 4 else set(left) <= {0, BATCH}
    assert sorted(left) == left, "nothing before the commit, all after it"


class CommitsEarly(PlaybookRepository):
    """A store with a planted fault: the tables are committed before the journal is written."""

    @contextmanager
    def transaction(self, domain_id: str) -> Iterator[PlaybookTransaction]:
        with self._database.transaction() as session:
            yield JournalAfterwards(session, domain_id)


class JournalAfterwards(PlaybookTransaction):
    def _write(self, entries: Sequence[Entry], operations: Sequence[Operation]) -> None:
        super()._write(entries, operations)
        self._session.say("COMMIT")
        self._session.say("BEGIN IMMEDIATE")


def test_the_sweep_notices_a_store_that_commits_early(sqlite_url: str) -> None:
    with pytest.raises(AssertionError):
        sweep(sqlite_url, CommitsEarly, 9)


def test_a_fork_may_go_on_using_the_store_on_both_sides(url: str) -> None:
    database = Database(url)
    store = PlaybookRepository(database)
    (shared,) = add(store, "shared advice")
    children = []
    for worker in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for number in range(20):
                    write(store, helpful(shared, f"w{worker}/{number}"))
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    for number in range(20):
        write(store, helpful(shared, f"parent/{number}"))
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert store.get_all(DOMAIN)[0].helpful_count == 80
    assert_tables_are_the_journal(database)
    database.close()


def test_a_fork_waits_for_the_transaction_of_another_thread(sqlite_url: str) -> None:
    store = PlaybookRepository(Database(sqlite_url))
    inside, finish = threading.Event(), threading.Event()

    def slow_writer() -> None:
        with store.transaction(DOMAIN) as transaction:
            inside.set()
            finish.wait(10)
            work = batch(0)
            transaction.apply(work, vectors=vectors(work), now=NOW)

    with ThreadPoolExecutor() as pool:
        writer = pool.submit(slow_writer)
        inside.wait(10)
        threading.Timer(0.1, finish.set).start()
        child = os.fork()
        if child == 0:
            os._exit(0 if store.head(DOMAIN).seq == BATCH else 1)
        assert os.waitpid(child, 0)[1] == 0
        writer.result()
    assert_sound(store)
