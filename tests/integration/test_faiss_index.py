"""The index finds what comparing with every vector finds, as of the journal's head, in any process, come what may.

The first part is the port's contract and runs on the fake and on the real one, over every kind of store.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace.config import get_settings
from ace.core.ports import Neighbourhood, PlaybookStore, VectorIndex, Vectors
from ace.errors import InvalidInput, StoreUnavailable
from ace.models.plan import Add, Increment, Operation, Promote, Quarantine, Restore, Rollback
from ace.models.playbook import Bullet, PlaybookStage, Section, bullet_id
from ace.repositories.database import Database
from ace.repositories.pgvector_index import PgVectorIndex
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.vector_scan import VectorScan
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from ace.utils import faiss_files
from ace.utils.checked_files import Unsound
from ace.utils.faiss_index import FaissManager
from ace.utils.faiss_shelf import MANY, PLAIN_UNTIL, Shelf
from tests.playbooks import DIMENSIONS, DOMAIN, NOW, add, helpful, histories_of, vector, write

WORDS = [f"advice number {number}" for number in range(30)]
STAGE_SETS = [None, *(set(some) for size in range(5) for some in combinations(PlaybookStage, size))]
PROD = [PlaybookStage.STAGING, PlaybookStage.PROD]


KINDS = [*product(("exact", "faiss"), ("memory", "sqlite", "postgres")), ("pgvector", "postgres")]


@pytest.fixture(params=KINDS, ids="-".join)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[PlaybookStore, VectorIndex]]:
    """A store, and an index over it."""
    kind, where = request.param
    if where == "memory":
        store: Any = InMemoryPlaybook()
    else:
        database = Database(request.getfixturevalue(f"{where}_url"))
        request.addfinalizer(database.close)
        store = PlaybookRepository(database)
    if kind == "faiss":
        manager = FaissManager(store, tmp_path / "indices")
        request.addfinalizer(manager.close)
        yield store, manager
    else:
        yield store, PgVectorIndex(database) if kind == "pgvector" else ExactIndex(store)


@pytest.fixture
def store(world: tuple[PlaybookStore, VectorIndex]) -> PlaybookStore:
    return world[0]


@pytest.fixture
def index(world: tuple[PlaybookStore, VectorIndex]) -> VectorIndex:
    return world[1]


def ids_of(found: Neighbourhood) -> list[list[str]]:
    return [[hit.bullet.id for hit in row] for row in found.hits]


def near(index: VectorIndex, *texts: str, k: int = 5, **options: Any) -> list[list[str]]:
    return ids_of(index.nearest(DOMAIN, np.stack([vector(text) for text in texts]), k=k, **options))


def promote(own: str, *stages: PlaybookStage) -> list[Operation]:
    return [Promote(bullet_id=own, to=stage, reason="evidence") for stage in stages]


# the contract


def test_a_domain_nobody_wrote_to_has_no_neighbours(index: VectorIndex) -> None:
    found = index.nearest("nobody", np.eye(3, DIMENSIONS, dtype=np.float32), k=5)

    assert found == Neighbourhood(position=0, hits=((), (), ()))


def test_the_nearest_are_those_of_highest_cosine_best_first(index: VectorIndex, store: PlaybookStore) -> None:
    ids = add(store, *WORDS)
    queries = np.stack([vector("a query"), vector("another"), vector(WORDS[7])])
    cosines = queries @ np.stack([vector(word) for word in WORDS]).T

    found = index.nearest(DOMAIN, queries, k=5)

    assert ids_of(found) == [[ids[column] for column in np.argsort(-row)[:5]] for row in cosines]
    similarities = [[hit.similarity for hit in row] for row in found.hits]
    assert np.allclose(similarities, -np.sort(-cosines, axis=1)[:, :5], atol=1e-3)
    assert found.position == len(WORDS)


def test_a_query_of_any_length_has_the_same_neighbours(index: VectorIndex, store: PlaybookStore) -> None:
    add(store, *WORDS)
    one = index.nearest(DOMAIN, vector("a query")[None], k=3)
    long = index.nearest(DOMAIN, 17 * vector("a query")[None], k=3)

    assert ids_of(long) == ids_of(one)
    assert long.hits[0][0].similarity == pytest.approx(one.hits[0][0].similarity, abs=1e-5)


def test_what_was_written_a_moment_ago_is_found(index: VectorIndex, store: PlaybookStore) -> None:
    add(store, *WORDS[:10])
    near(index, "warm up")
    new = add(store, "the newcomer")

    assert near(index, "the newcomer", k=1) == [new]


@pytest.mark.parametrize("k", [0, 1, 29, 30, 31, 1000])
def test_k_neighbours_are_given_or_all_there_are(index: VectorIndex, store: PlaybookStore, k: int) -> None:
    add(store, *WORDS)

    assert [len(row) for row in near(index, "a", "b", k=k)] == [min(k, 30)] * 2


def test_no_vectors_have_no_neighbours(index: VectorIndex, store: PlaybookStore) -> None:
    add(store, *WORDS)

    assert index.nearest(DOMAIN, np.empty((0, DIMENSIONS), dtype=np.float32), k=3).hits == ()


def test_stages_are_filtered_as_they_change(index: VectorIndex, store: PlaybookStore) -> None:
    one, two, three = add(store, "one", "two", "three")
    shadow, prod = {PlaybookStage.SHADOW}, {PlaybookStage.PROD}
    assert near(index, "one", stages=prod) == [[]]

    write(store, *promote(one, *PROD), *promote(two, PlaybookStage.STAGING))
    assert near(index, "one", stages=prod) == [[one]]
    assert near(index, "one", stages=shadow) == [[three]]

    write(store, Quarantine(bullet_id=one, reason="harm"))
    assert near(index, "one", stages=set(PROD)) == [[two]]
    assert set(near(index, "one")[0]) == {one, two, three}

    write(store, Restore(bullet_id=one, reason="a person looked"))
    assert near(index, "one", k=1, stages=shadow) == [[one]]
    assert near(index, "one", stages=()) == [[]]


def test_the_bullets_found_are_as_they_are_now(index: VectorIndex, store: PlaybookStore) -> None:
    ids = add(store, *WORDS)
    near(index, WORDS[0], k=30)
    write(store, helpful(ids[0], "e1"), helpful(ids[0], "e2"), *promote(ids[0], PlaybookStage.STAGING))
    write(store, Increment(bullet_id=ids[1], episode_id="e1", harmful=1))

    found = index.nearest(DOMAIN, vector(WORDS[0])[None], k=30)

    assert {hit.bullet.id: hit.bullet for hit in found.hits[0]} == {one.id: one for one in store.get_all(DOMAIN)}


def test_after_a_rollback_the_past_is_found_again(index: VectorIndex, store: PlaybookStore) -> None:
    kept, moved = add(store, "kept", "moved")
    position = store.head(DOMAIN).seq
    gone = add(store, "gone")[0]
    write(store, *promote(moved, *PROD), helpful(kept, "e1"))
    assert near(index, "gone", k=1) == [[gone]]

    write(store, Rollback(to=position, reason="a bad day"))

    assert set(near(index, "gone")[0]) == {kept, moved}
    assert near(index, "moved", stages={PlaybookStage.PROD}) == [[]]
    counts = [hit.bullet.helpful_count for hit in index.nearest(DOMAIN, vector("kept")[None], k=2).hits[0]]
    assert counts == [0, 0]

    again = add(store, "gone")[0]
    assert near(index, "gone", k=1) == [[again]]


def test_domains_do_not_see_each_other(index: VectorIndex, store: PlaybookStore) -> None:
    add(store, "mine")
    theirs = add(store, "theirs", domain="customer-b")

    assert ids_of(index.nearest("customer-b", vector("mine")[None], k=5)) == [theirs]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(np.ones(DIMENSIONS), id="one vector without its row"),
        pytest.param(np.ones((1, DIMENSIONS + 1)), id="another dimension"),
        pytest.param(np.full((1, DIMENSIONS), np.nan), id="not a number"),
        pytest.param(np.full((1, DIMENSIONS), np.inf), id="infinite"),
        pytest.param(np.zeros((1, DIMENSIONS)), id="all zero"),
    ],
)
def test_what_is_no_vector_is_refused(index: VectorIndex, store: PlaybookStore, bad: Any) -> None:
    add(store, *WORDS)

    with pytest.raises(InvalidInput, match="vectors"):
        index.nearest(DOMAIN, bad.astype(np.float32), k=5)


def test_fewer_than_no_neighbours_are_refused(index: VectorIndex, store: PlaybookStore) -> None:
    with pytest.raises(InvalidInput):
        near(index, "a", k=-1)


@settings(deadline=None, max_examples=60)
@given(history=histories_of(DOMAIN), cut=st.integers(0, 20), stages=st.sampled_from(STAGE_SETS))
def test_along_any_history_the_index_finds_what_comparing_with_all_finds(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[Operation],
    cut: int,
    stages: Collection[PlaybookStage] | None,
) -> None:
    store = InMemoryPlaybook()
    manager = FaissManager(store, tmp_path_factory.mktemp("indices"))
    for part in (history[:cut], history[cut:]):
        write(store, *part)
        assert_same(manager, store, stages)


def assert_same(manager: FaissManager, store: PlaybookStore, stages: Collection[PlaybookStage] | None = None) -> None:
    """The index and the exact search agree about everything there is."""
    query = vector("a query")[None]
    found = manager.nearest(DOMAIN, query, k=10_000, stages=stages)
    exact = ExactIndex(store).nearest(DOMAIN, query, k=10_000, stages=stages)
    assert found.position == exact.position
    assert {hit.bullet.id: hit.bullet for hit in found.hits[0]} == {hit.bullet.id: hit.bullet for hit in exact.hits[0]}
    similarities = [[hit.similarity for hit in each.hits[0]] for each in (found, exact)]
    assert np.allclose(similarities[0], similarities[1], atol=1e-3)


# the shelf


def clustered(n: int, dimensions: int = 384, seed: int = 0) -> Vectors:
    """Unit vectors in clusters of 50, as there are many ways to say one thing."""
    rng, clusters = np.random.default_rng(seed), max(1, n // 50)
    centres = np.random.default_rng(1).standard_normal((clusters, dimensions))
    rows = centres[rng.integers(0, clusters, n)] + 0.7 * rng.standard_normal((n, dimensions))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def recall(shelf: Shelf, vectors: dict[str, Vectors], queries: Vectors, k: int = 10) -> float:
    """The share of the `k` found that belong to the `k` best; cosines that differ by less than 0.001 are equal."""
    rows = np.stack(list(vectors.values()))
    least = np.sort(queries @ rows.T, axis=1)[:, -k] - 1e-3
    found = [
        [vectors[own] @ query for own, _ in hits]
        for hits, query in zip(shelf.nearest(queries, k), queries, strict=True)
    ]
    return float(np.mean(np.array(found) >= least[:, None]))


def shelved(rows: Vectors) -> tuple[Shelf, dict[str, Vectors]]:
    names = [f"v{number}" for number in range(len(rows))]
    shelf = Shelf(rows.shape[1])
    shelf.add(names, rows)
    return shelf, dict(zip(names, rows, strict=True))


@pytest.mark.parametrize(
    ("n", "dimensions", "kind"),
    [
        (PLAIN_UNTIL, 384, "SQfp16"),
        (PLAIN_UNTIL + 1, 384, "PQ96x4fs,Refine(SQfp16)"),
        (MANY + 1, 384, "PQ96x4fs,Refine(SQfp16)"),
        (PLAIN_UNTIL + 1, 30, "SQfp16"),  # 30 numbers cannot be cut in fours
    ],
)
def test_the_kind_of_index_follows_its_size_and_finds_the_best(n: int, dimensions: int, kind: str) -> None:
    shelf, vectors = shelved(clustered(n, dimensions))

    assert shelf.kind == kind
    assert recall(shelf, vectors, clustered(100, dimensions, seed=2)) >= 0.99


def test_codes_learned_from_some_serve_the_others_that_come_later() -> None:
    shelf, vectors = shelved(clustered(PLAIN_UNTIL + 1))
    rest = {f"late{number}": row for number, row in enumerate(clustered(9_000, seed=3))}
    for own, row in rest.items():
        shelf.add([own], row[None])

    assert recall(shelf, vectors | rest, clustered(100, seed=2)) >= 0.99


@pytest.mark.parametrize("n", [500, 4000], ids=["plain", "coded"])
def test_what_was_taken_is_never_found_and_hides_nothing(n: int) -> None:
    shelf, vectors = shelved(clustered(n))
    query = clustered(1, seed=2)
    for own, _ in shelf.nearest(query, n // 3)[0]:  # all those nearest to the query
        expected = vectors.pop(own)
        assert np.allclose(shelf.take(own), expected, atol=1e-3)

        assert own not in shelf
    found = [own for own, _ in shelf.nearest(query, 10)[0]]

    assert len(shelf) == len(vectors)
    assert len(found) == 10
    assert set(found) <= set(vectors)
    assert recall(shelf, vectors, query) >= 0.9
    assert sorted(own for own, _ in shelf.nearest(query, n)[0]) == sorted(vectors)


@pytest.mark.parametrize("n", [500, 4000], ids=["plain", "coded"])
def test_a_shelf_is_read_as_it_was_written(tmp_path: Path, n: int) -> None:
    shelf, _ = shelved(clustered(n))
    for number in range(50):
        shelf.take(f"v{number}")
    shelf.sweep()
    shelf.write(tmp_path / "file")
    queries = clustered(20, seed=2)

    read = Shelf.read(tmp_path / "file", shelf.ids)

    assert (read.kind, len(read)) == (shelf.kind, n - 50)
    assert read.nearest(queries, 10) == shelf.nearest(queries, 10)
    read.add(["new"], queries[:1])
    assert read.nearest(queries[:1], 1)[0][0][0] == "new"


def test_a_name_put_on_the_shelf_twice_lies_there_once() -> None:
    shelf, _ = shelved(clustered(10))
    shelf.add(["v3", "v3", "new"], clustered(3, seed=4))

    assert sorted(own for own, _ in shelf.nearest(clustered(1), 100)[0]) == sorted(
        [*(f"v{n}" for n in range(10)), "new"]
    )


# the manager

BIG = 3000
LABELS = [f"number {number}" for number in range(BIG)]


def fill(store: PlaybookStore, rows: Vectors, *, domain: str = DOMAIN, prefix: str = "number") -> list[str]:
    """A bullet per row, in one transaction; their ids."""
    texts = [f"{prefix} {number}" for number in range(len(rows))]
    made = [Bullet(id=bullet_id(domain, Section.STRATEGY, t), domain_id=domain, content=t) for t in texts]
    with store.transaction(domain) as transaction:
        by_id = {one.id: row for one, row in zip(made, rows, strict=True)}
        transaction.apply([Add(bullet=one) for one in made], vectors=by_id, now=NOW)
    return [one.id for one in made]


@pytest.fixture
def repository(sqlite_url: str) -> Iterator[PlaybookRepository]:
    database = Database(sqlite_url)
    yield PlaybookRepository(database)
    database.close()


class Watched:
    """A store that counts how often all its vectors were read."""

    def __init__(self, store: PlaybookRepository) -> None:
        self.store, self.scans = store, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def iter_vectors(self, domain_id: str, *, batch: int = 4096) -> AbstractContextManager[VectorScan]:
        self.scans += 1
        return self.store.iter_vectors(domain_id, batch=batch)


def test_fifty_prod_bullets_are_found_among_thousands_of_shadow_ones(
    repository: PlaybookRepository, tmp_path: Path
) -> None:
    rows = clustered(BIG)
    ids = fill(repository, rows)
    manager = FaissManager(repository, tmp_path)
    query = clustered(1, seed=2)
    manager.nearest(DOMAIN, query, k=1)
    worst = np.argsort(rows @ query[0])[:50]  # those farthest from the query
    write(repository, *(step for number in worst for step in promote(ids[number], *PROD)))

    found = manager.nearest(DOMAIN, query, k=60, stages={PlaybookStage.PROD})

    assert ids_of(found) == [[ids[number] for number in worst[::-1]]]
    assert len(manager.nearest(DOMAIN, query, k=BIG, stages={PlaybookStage.SHADOW}).hits[0]) == BIG - 50


def test_search_gives_ids_and_cosines(repository: PlaybookRepository, tmp_path: Path) -> None:
    ids = add(repository, *WORDS)
    manager = FaissManager(repository, tmp_path)

    found = manager.search(DOMAIN, 3 * vector(WORDS[4]), k=2)

    assert found[0] == (ids[4], pytest.approx(1.0, abs=1e-3))
    assert len(found) == 2
    assert manager.get_index_size(DOMAIN) == len(WORDS)
    for bad in (np.ones((1, DIMENSIONS)), np.ones(DIMENSIONS - 1), [float("nan")] * DIMENSIONS):
        with pytest.raises(InvalidInput):
            manager.search(DOMAIN, bad)
    with pytest.raises(InvalidInput, match="domain"):
        manager.search("../etc", vector("a"))


def test_a_fresh_process_loads_the_index_and_reads_only_what_is_new(
    repository: PlaybookRepository, tmp_path: Path
) -> None:
    fill(repository, clustered(BIG, DIMENSIONS))
    FaissManager(repository, tmp_path).save(DOMAIN)
    new = add(repository, "written after the index was saved")
    watched = Watched(repository)
    manager = FaissManager(watched, tmp_path)

    assert near(manager, "written after the index was saved", k=1) == [new]
    assert_same(manager, repository)
    assert watched.scans == 0


def test_unloading_saves_what_was_learned_since(repository: PlaybookRepository, tmp_path: Path) -> None:
    add(repository, *WORDS)
    manager = FaissManager(repository, tmp_path)
    near(manager, "a")
    own = add(repository, "late")[0]
    write(repository, *promote(own, PlaybookStage.STAGING))
    near(manager, "a")

    manager.unload(DOMAIN)

    assert manager.loaded() == {}
    saved = faiss_files.load(tmp_path, DOMAIN, "all-MiniLM-L6-v2")
    assert saved.position == repository.head(DOMAIN)
    assert_same(manager, repository)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def forge(file: Path) -> None:
    """Say in the manifest that the index is elsewhere in the journal."""
    content = json.loads(file.read_text())
    content["body"]["facts"]["position"] += 1
    file.write_text(json.dumps(content))


HARM = [(harm, suffix) for harm in (flip, truncate, empty, Path.unlink) for suffix in ("shadow.faiss", "json")]


@pytest.mark.parametrize(
    ("harm", "suffix"), [*HARM, (forge, "json")], ids=lambda value: getattr(value, "__name__", value)
)
def test_damaged_files_are_made_anew_and_the_log_says_so(
    repository: PlaybookRepository,
    tmp_path: Path,
    harm: Callable[[Path], None],
    suffix: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    add(repository, *WORDS)
    FaissManager(repository, tmp_path).save(DOMAIN)
    harm(next(tmp_path.glob(f"*.{suffix}")))
    caplog.set_level(logging.INFO, "ace.utils.faiss_index")
    watched = Watched(repository)

    assert_same(FaissManager(watched, tmp_path), repository)
    assert watched.scans == 1
    assert "index_rebuilt" in caplog.messages
    assert_same(FaissManager(watched, tmp_path), repository)
    assert watched.scans == 1, "the new files are sound"


def test_files_of_another_embedding_model_are_not_used(repository: PlaybookRepository, tmp_path: Path) -> None:
    add(repository, *WORDS)
    FaissManager(repository, tmp_path, model="one").save(DOMAIN)
    watched = Watched(repository)

    assert_same(FaissManager(watched, tmp_path, model="another"), repository)
    assert watched.scans == 1


def test_the_name_of_a_domain_never_names_a_file(repository: PlaybookRepository, tmp_path: Path) -> None:
    add(repository, *WORDS)
    FaissManager(repository, tmp_path).save(DOMAIN)

    assert not [file for file in tmp_path.iterdir() if DOMAIN in file.name]


@pytest.mark.parametrize("then", [[], ["something else"], ["x", "y", "z"]], ids=["shorter", "as long", "longer"])
@pytest.mark.parametrize("running", [True, False], ids=["in a running process", "from the disk"])
def test_a_database_restored_from_a_copy_is_followed_not_the_index(
    sqlite_url: str, tmp_path: Path, then: list[str], running: bool
) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    database = Database(sqlite_url)
    store = PlaybookRepository(database)
    add(store, "before the copy")
    database.close()
    shutil.copy(file, tmp_path / "copy.db")
    gone = add(store, "after the copy", "and one more")
    manager = FaissManager(store, tmp_path / "indices")
    assert near(manager, "after the copy", k=1) == [gone[:1]]
    manager.save(DOMAIN)

    database.close()
    for journal in file.parent.glob(f"{file.name}-*"):
        journal.unlink()
    (tmp_path / "copy.db").replace(file)
    if then:
        add(store, *then)
    if not running:
        manager = FaissManager(store, tmp_path / "indices")

    assert_same(manager, store)
    assert len(near(manager, "x", k=10)[0]) == 1 + len(then)


WRITER = """
import sys
from tests.playbooks import add, write, helpful
from ace.repositories.database import Database
from ace.repositories.pgvector_index import PgVectorIndex
from ace.repositories.playbook_repository import PlaybookRepository
store = PlaybookRepository(Database(sys.argv[1]))
for number in range(40):
    own, = add(store, f"from another process {number}")
    write(store, helpful(own, "e1"))
"""


def test_a_process_sees_at_once_what_another_has_written(
    repository: PlaybookRepository, sqlite_url: str, tmp_path: Path
) -> None:
    add(repository, *WORDS)
    manager = FaissManager(repository, tmp_path)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, sqlite_url])
    while writer.poll() is None:
        assert_caught_up(manager, repository)

    assert writer.returncode == 0
    assert_same(manager, repository)
    assert manager.get_index_size(DOMAIN) == len(WORDS) + 40


def assert_caught_up(manager: FaissManager, store: PlaybookStore) -> None:
    """Everything found is of the position, or of a moment between it and the call's end if others write meanwhile."""
    before = store.head(DOMAIN).seq
    found = manager.nearest(DOMAIN, vector("a query")[None], k=1000)
    assert before <= found.position <= store.head(DOMAIN).seq
    new = [hit.bullet for hit in found.hits[0] if hit.bullet.content not in WORDS]
    voted = sum(one.helpful_count for one in new)
    assert len(new) - voted in (0, 1)
    assert found.position <= len(WORDS) + len(new) + voted <= store.head(DOMAIN).seq


def test_threads_may_search_while_others_write(repository: PlaybookRepository, tmp_path: Path) -> None:
    add(repository, *WORDS)
    manager = FaissManager(repository, tmp_path, memory_bytes=0)  # whatever is not in use is unloaded

    def learn(number: int) -> None:
        own = add(repository, f"learned {number}")[0]
        write(repository, *promote(own, PlaybookStage.STAGING))
        assert near(manager, f"learned {number}", k=1) == [[own]]

    def look(number: int) -> None:
        found = manager.nearest(DOMAIN, vector(f"learned {number}")[None], k=1000, stages={PlaybookStage.SHADOW})
        assert len(found.hits[0]) >= len(WORDS)
        near(manager, "elsewhere")

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, number) for number in range(40) for work in (learn, look)]:
            done.result()

    assert_same(manager, repository)


def test_memory_is_bounded_and_what_was_used_last_stays(repository: PlaybookRepository, tmp_path: Path) -> None:
    domains = [f"domain-{number}" for number in range(6)]
    for domain in domains:
        fill(repository, clustered(400), domain=domain)
    manager = FaissManager(repository, tmp_path, memory_bytes=400_000)
    for domain in domains:
        manager.search(domain, clustered(1)[0])
        manager._next_sweep = 0.0  # as if a second had passed
    manager.search(domains[-1], clustered(1)[0])

    loaded = manager.loaded()

    assert domains[-1] in loaded
    assert domains[0] not in loaded
    assert sum(loaded.values()) <= 400_000
    assert manager.search(domains[0], clustered(1)[0]) != []


def test_what_nobody_uses_unloads_itself(repository: PlaybookRepository, tmp_path: Path) -> None:
    add(repository, *WORDS)
    manager = FaissManager(repository, tmp_path, idle_s=-1)
    near(manager, "a")
    manager.unload_idle()

    assert manager.loaded() == {}
    assert_same(manager, repository)


def test_when_the_disk_refuses_searching_goes_on_and_saving_says_so(
    repository: PlaybookRepository, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(repository, *WORDS)
    (tmp_path / "indices").write_text("a file where the folder should be")
    manager = FaissManager(repository, tmp_path / "indices")

    assert_same(manager, repository)
    assert "index_not_saved" in caplog.messages
    with pytest.raises(StoreUnavailable, match="indices"):
        manager.save(DOMAIN)


def test_compacting_drops_what_the_store_no_longer_has(repository: PlaybookRepository, tmp_path: Path) -> None:
    add(repository, "kept")
    position = repository.head(DOMAIN).seq
    add(repository, "gone", "gone too")
    manager = FaissManager(repository, tmp_path)
    near(manager, "a")
    write(repository, Rollback(to=position, reason="a bad day"))

    assert manager.compact(DOMAIN) == 2
    assert manager.compact(DOMAIN) == 0
    assert manager.rebuild(DOMAIN) == 1
    assert len(faiss_files.load(tmp_path, DOMAIN, "all-MiniLM-L6-v2")) == 1


def test_processes_that_save_and_load_at_once_never_read_a_mixture(
    repository: PlaybookRepository, tmp_path: Path
) -> None:
    """Each saved state holds another set of bullets; whatever is loaded is one of them, or nothing."""
    states = []
    for number in range(4):
        add(repository, *(f"{number} {word}" for word in WORDS))
        manager = FaissManager(repository, tmp_path / "unused")
        near(manager, "a")
        states.append(manager._domains[DOMAIN].view)

    def save(number: int) -> None:
        faiss_files.save(states[number % 4], tmp_path, DOMAIN, "m")  # type: ignore[arg-type]

    def load(_: int) -> None:
        view = faiss_files.load(tmp_path, DOMAIN, "m")
        assert len(view) == view.position.seq
        [(own, similarity)] = view.nearest(vector("0 " + WORDS[3])[None], 1, None)[0]
        assert (own, round(similarity, 2)) == (repository.get_all(DOMAIN)[3].id, 1.0)

    save(0)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(40) for work in (save, load)]:
            done.result()


def test_an_index_removed_from_the_disk_counts_as_absent(repository: PlaybookRepository, tmp_path: Path) -> None:
    add(repository, *WORDS)
    FaissManager(repository, tmp_path).save(DOMAIN)

    faiss_files.remove(tmp_path, DOMAIN)

    with pytest.raises(Unsound, match="missing"):
        faiss_files.load(tmp_path, DOMAIN, "all-MiniLM-L6-v2")
    assert list(tmp_path.glob("*.faiss")) == []


ONE_LINER = (
    "import numpy as np; from ace.utils.faiss_index import get_faiss_manager; fm = get_faiss_manager(); "
    f"print(fm.get_index_size('{DOMAIN}'), fm.search('{DOMAIN}', np.ones({DIMENSIONS}, dtype=np.float32), k=1)[0][0])"
)


def test_a_bare_shell_asks_the_index_of_the_settings(data_dir: Path) -> None:
    store = PlaybookRepository(Database(get_settings().database))
    ids = add(store, *WORDS)
    rows = np.stack([vector(word) for word in WORDS])

    answers = [subprocess.run([sys.executable, "-c", ONE_LINER], capture_output=True, text=True) for _ in range(2)]

    expected = f"{len(WORDS)} {ids[int(np.argmax(rows.sum(axis=1)))]}\n"
    assert [answer.stdout for answer in answers] == [expected] * 2, answers[0].stderr
    assert list((data_dir / "indices").glob("*.faiss"))


def test_real_text_is_found_as_comparing_with_all_finds_it(models_dir: Path) -> None:
    from ace.utils.embeddings import LocalEmbedder
    from benchmarks.corpus import strategy_bullets, task_queries

    embedder = LocalEmbedder(models_dir)
    short = [text for text in strategy_bullets(20_000, seed=8) if len(text) < 100][: PLAIN_UNTIL + 250]
    drifting = sorted(short, key=lambda text: text.split()[-1])
    vectors = dict(zip(drifting, embedder.embed(drifting), strict=True))
    shelf = Shelf(embedder.dimensions)
    for text, row in vectors.items():
        shelf.add([text], row[None])

    assert shelf.kind == "PQ96x4fs,Refine(SQfp16)"
    assert recall(shelf, vectors, embedder.embed(task_queries(60))) >= 0.99
