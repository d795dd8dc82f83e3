"""pgvector as the index: never ahead of the journal and never behind it, whoever writes; what filters and graphs miss.

The port's contract runs on it in `test_faiss_index.py`.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from ace.config import load_settings
from ace.core import replay
from ace.core.ports import Vectors
from ace.errors import InvalidInput, SchemaMismatch
from ace.models.plan import Add, Promote, Rollback
from ace.models.playbook import Bullet, PlaybookStage, Section, bullet_id
from ace.repositories import pgvector_tables
from ace.repositories.database import Database
from ace.repositories.pgvector_index import PgVectorIndex
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.statements import statement
from ace.testing.index import ExactIndex
from ace.testing.index_check import misplaced
from tests.playbooks import DIMENSIONS, DOMAIN, NOW, add, histories_of, vector, write

N, EXACT_UNTIL, RARE = 1500, 400, 40
ALL = set(PlaybookStage)


def clustered(n: int, seed: int = 0) -> Vectors:
    """Unit vectors in clusters of 50, as there are many ways to say one thing."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).standard_normal((N // 50, 384))
    rows = centres[rng.integers(0, len(centres), n)] + 0.7 * rng.standard_normal((n, 384))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def fill(store: PlaybookRepository, rows: Vectors, *, domain: str = DOMAIN, prefix: str = "number") -> list[str]:
    """A bullet per row, in one transaction; their ids."""
    texts = [f"{prefix} {number}" for number in range(len(rows))]
    made = [Bullet(id=bullet_id(domain, Section.STRATEGY, text), domain_id=domain, content=text) for text in texts]
    with store.transaction(domain) as transaction:
        by_id = {one.id: row for one, row in zip(made, rows, strict=True)}
        transaction.apply([Add(bullet=one) for one in made], vectors=by_id, now=NOW)
    return [one.id for one in made]


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = Database(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> PlaybookRepository:
    return PlaybookRepository(database)


@pytest.fixture(scope="module")
def large(clone_postgres: Callable[[], str]) -> Iterator[tuple[PlaybookRepository, PgVectorIndex, Database]]:
    """A domain with a graph, RARE of its bullets in PROD, half of the others in STAGING; another that says the same.

    Postgres would rather compare so few one by one, so it is told not to sort.
    """
    url = clone_postgres()
    with psycopg.connect(url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET enable_sort = off").format(name))
    opened = Database(url)
    store, index = PlaybookRepository(opened), PgVectorIndex(opened, exact_until=EXACT_UNTIL)
    rows = clustered(N)
    ids = fill(store, rows)
    fill(store, rows[:600], domain="customer-b")
    rare = set(ids[:: N // RARE])
    for stage, some in ((PlaybookStage.STAGING, rare | set(ids[::2])), (PlaybookStage.PROD, rare)):
        write(store, *(Promote(bullet_id=own, to=stage, reason="evidence") for own in sorted(some)))
    index.tend(DOMAIN)
    yield store, index, opened
    opened.close()


def recall(index: PgVectorIndex, exact: ExactIndex, queries: Vectors, stages: set[PlaybookStage], k: int = 10) -> float:
    """The share of the `k` found that are as near as the `k` nearest; cosines within 0.001 are equal."""
    found, best = (one.nearest(DOMAIN, queries, k=k, stages=stages).hits for one in (index, exact))
    assert [len(row) for row in found] == [len(row) for row in best]
    assert all(hit.bullet.stage in stages for row in found for hit in row)
    least = [row[-1].similarity - 1e-3 for row in best if row]
    near = [hit.similarity >= limit for hits, limit in zip(found, least, strict=False) for hit in hits]
    return float(np.mean(near)) if near else 1.0


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param(ALL, id="every-stage"),
        pytest.param({PlaybookStage.STAGING}, id="half-of-them"),
        pytest.param({PlaybookStage.PROD}, id="one-in-forty"),
        pytest.param({PlaybookStage.ARCHIVED}, id="none"),
    ],
)
def test_a_large_domain_has_a_graph_and_no_filter_loses_what_is_near(large: Any, stages: set[PlaybookStage]) -> None:
    store, index, database = large
    assert pgvector_tables.graph(database, DOMAIN)

    assert recall(index, ExactIndex(store), clustered(40, seed=2), stages) >= 0.99


def test_a_search_of_a_large_domain_reads_its_graph(large: Any) -> None:
    _, index, database = large
    reads = (
        "SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes WHERE indexrelname LIKE 'idx_bullet_embeddings_%'"
    )
    with psycopg.connect(database.url.render_as_string(hide_password=False).replace("+psycopg", "")) as connection:
        before = connection.execute(reads).fetchone()
        for row in clustered(8, seed=3):
            index.nearest(DOMAIN, row[None], k=5)
        database.close()  # connections that end hand their statistics in
        connection.rollback()
        after = connection.execute(reads).fetchone()
    assert before and after and after[0] >= before[0] + 8


def test_more_neighbours_than_a_graph_is_asked_for_are_found_by_comparing(large: Any) -> None:
    store, index, _ = large

    hits = index.nearest(DOMAIN, clustered(1, seed=4), k=N + 5).hits[0]

    assert {hit.bullet.id for hit in hits} == {bullet.id for bullet in store.get_all(DOMAIN)}


def test_a_tenant_is_never_shown_anothers_twin(large: Any) -> None:
    _, index, _ = large

    for domain in (DOMAIN, "customer-b"):
        hits = index.nearest(domain, clustered(20, seed=5), k=20).hits
        assert {hit.bullet.domain_id for row in hits for hit in row} == {domain}


def test_what_a_rollback_took_away_is_not_found_in_a_graph_either(large: Any) -> None:
    store, index, database = large
    position, query = store.head("customer-b").seq, clustered(1, seed=9)[0]
    gone = set(
        fill(
            store, np.stack([query + 0.001 * row for row in clustered(100, seed=8)]), domain="customer-b", prefix="twin"
        )
    )
    pgvector_tables.build_graph(database, "customer-b", vectors=700, dimensions=384)
    assert {own for own, _ in index.search("customer-b", query, k=20)} <= gone

    write(store, Rollback(to=position, reason="a bad day"), domain="customer-b")

    hits = index.search("customer-b", query, k=500)
    assert len(hits) == 500
    assert not {own for own, _ in hits} & gone


NUMBERS = itertools.count()


@settings(max_examples=12)
@given(data=st.data())
def test_along_any_history_it_holds_what_the_database_holds(large: Any, data: st.DataObject) -> None:
    store, index, _ = large
    domain = f"history-{next(NUMBERS)}"

    write(store, *data.draw(histories_of(domain)), domain=domain)

    assert list(misplaced(store, index, domain)) == []


WRITER = """
import sys
from tests.playbooks import add, write, helpful
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.statements import statement
store = PlaybookRepository(Database(sys.argv[1]))
for number in range(15):
    own, = add(store, f"from another process {number}")
    write(store, helpful(own, "e1"))
"""


def test_while_another_process_writes_every_search_is_of_one_moment(
    database: Database, store: PlaybookRepository
) -> None:
    """That process knows nothing of pgvector: the index follows all the same."""
    index = PgVectorIndex(database)
    add(store, "the first")
    url = database.url.render_as_string(hide_password=False)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, url])
    while writer.poll() is None:
        found = index.nearest(DOMAIN, vector("a query")[None], k=1000)
        then = replay.replay(store.entries(DOMAIN, limit=found.position))
        assert {hit.bullet.id: hit.bullet for hit in found.hits[0]} == then.bullets
        time.sleep(0.02)

    assert writer.returncode == 0
    assert len(index.search(DOMAIN, vector("a query"), k=1000)) == 16


def test_vectors_from_before_it_was_chosen_are_found(database: Database, store: PlaybookRepository) -> None:
    ids = add(store, *(f"advice {number}" for number in range(5)))
    add(store, "elsewhere", domain="customer-b")

    index = PgVectorIndex(database)

    assert {own for own, _ in index.search(DOMAIN, vector("advice"), k=9)} == set(ids)
    assert index.get_index_size(DOMAIN) == 5


def test_several_processes_may_be_the_first_to_choose_it(database: Database, store: PlaybookRepository) -> None:
    add(store, *(f"advice {number}" for number in range(50)))

    with ThreadPoolExecutor(4) as pool:
        indexes = list(pool.map(lambda _: PgVectorIndex(database), range(4)))

    assert [len(index.search(DOMAIN, vector("a"), k=99)) for index in indexes] == [50] * 4


def test_a_vector_that_is_replaced_or_restored_is_replaced_in_the_index(
    database: Database, store: PlaybookRepository
) -> None:
    index = PgVectorIndex(database)
    (own,) = add(store, "advice")
    with database.transaction() as session:  # every number 0.25
        session.say(f"UPDATE bullet_vectors SET vector = decode(repeat('0034', {DIMENSIONS}), 'hex')")
    assert index.search(DOMAIN, np.ones(DIMENSIONS), k=1) == [(own, pytest.approx(0.25 * DIMENSIONS**0.5, abs=1e-3))]
    with database.transaction() as session:
        session.say("DELETE FROM bullet_vectors")
    assert index.search(DOMAIN, vector("advice"), k=1) == []


def test_the_table_is_thrown_away_at_will(database: Database, store: PlaybookRepository) -> None:
    PgVectorIndex(database)
    with database.transaction() as session:
        session.say("DROP TABLE bullet_embeddings")

    (own,) = add(store, "written without it")

    assert PgVectorIndex(database).search(DOMAIN, vector("written without it"), k=1)[0][0] == own


@given(packed=st.lists(st.integers(0, 2**16 - 1).filter(lambda bits: bits & 0x7C00 != 0x7C00), min_size=1, max_size=64))
@settings(max_examples=30)
def test_the_database_reads_float16_as_numpy_does(large: Any, packed: list[int]) -> None:
    database, numbers = large[2], np.array(packed, dtype="<u2")

    (text,) = database.rows(statement("SELECT CAST(ace_halfvec(:packed) AS text)"), packed=numbers.tobytes())[0]

    assert np.array(json.loads(text), dtype=np.float16).tolist() == numbers.view("<f2").tolist()


def test_a_graph_left_invalid_by_a_killed_builder_is_made_anew(database: Database, store: PlaybookRepository) -> None:
    index = PgVectorIndex(database, exact_until=10)
    add(store, *(f"advice {number}" for number in range(30)))
    index.tend(DOMAIN)
    with database.transaction() as session:  # what CREATE INDEX CONCURRENTLY leaves when it is killed
        session.say(
            "UPDATE pg_index SET indisvalid = false WHERE indrelid = 'bullet_embeddings'::regclass AND NOT indisprimary"
        )
    assert pgvector_tables.graph(database, DOMAIN) is None
    assert len(index.search(DOMAIN, vector("a"), k=20)) == 20

    index.tend(DOMAIN)

    assert pgvector_tables.graph(database, DOMAIN)
    assert index.nbytes(DOMAIN) > pgvector_tables.graph(database, DOMAIN)


def test_a_rebuild_follows_the_size(database: Database, store: PlaybookRepository) -> None:
    index = PgVectorIndex(database, exact_until=10)
    add(store, *(f"advice {number}" for number in range(12)))
    assert [index.rebuild(DOMAIN), index.rebuild(DOMAIN)] == [12, 12]
    assert pgvector_tables.graph(database, DOMAIN)

    PgVectorIndex(database, exact_until=100).rebuild(DOMAIN)

    assert pgvector_tables.graph(database, DOMAIN) is None


# what is said where it cannot be


def test_sqlite_cannot_have_it(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match=r"ACE_VECTOR_BACKEND.*Postgres.*ACE_DATABASE_URL"):
        PgVectorIndex(Database(sqlite_url))
    monkeypatch.setenv("ACE_VECTOR_BACKEND", "pgvector")
    with pytest.raises(InvalidInput, match=r"ACE_VECTOR_BACKEND.*ACE_DATABASE_URL=postgresql"):
        load_settings()
    monkeypatch.setenv("ACE_DATABASE_URL", "postgresql://ace@db/ace")
    assert load_settings().vector_backend == "pgvector"


def test_who_may_not_make_the_extension_is_told_who_may(clone_postgres: Callable[[], str]) -> None:
    url = clone_postgres()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DO $$ BEGIN CREATE ROLE plain LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO plain").format(name))
        for (table,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            connection.execute(sql.SQL("ALTER TABLE {} OWNER TO plain").format(sql.Identifier(table)))
        connection.execute("GRANT ALL ON SCHEMA public TO plain")
    mine = Database(url.replace("postgres:@", "plain:@"))
    with pytest.raises(SchemaMismatch, match=r"may not make the extension.*superuser.*CREATE EXTENSION vector"):
        PgVectorIndex(mine)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")

    assert PgVectorIndex(mine).is_ready()
    mine.close()
