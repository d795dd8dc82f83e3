"""The Curator over the shipped fakes, the real adapters, and two of them at once."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from ace.core.ports import Pair
from ace.core.replay import replay
from ace.core.similarity import Relation
from ace.curator import semantic_curator
from ace.curator.semantic_curator import CosineRule, SemanticCurator
from ace.errors import BatchTooLarge, Conflict, DeadlineExceeded, InvalidInput
from ace.models.insight import Delta, Insight, Tag, Vote
from ace.models.plan import Outcome
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.schema import require_head
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from ace.utils.faiss_index import FaissManager

DOMAIN = "customer-a"


class WordRule:
    """Opposite when one says never, same when the words are the same in any order."""

    def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
        return [self._one(set(pair.left.lower().split()), set(pair.right.lower().split())) for pair in pairs]

    def _one(self, left: set[str], right: set[str]) -> Relation:
        if ("never" in left) != ("never" in right):
            return Relation.CONTRADICTS
        return Relation.SAME if left == right else Relation.DIFFERENT


def curator(store: InMemoryPlaybook, clock: FrozenClock | None = None, embedder: object = None) -> SemanticCurator:
    return SemanticCurator(
        store=store,
        index=ExactIndex(store),
        embedder=embedder or HashEmbedder(),  # type: ignore[arg-type]
        second_look=WordRule(),
        clock=clock or FrozenClock(),
    )


def delta(episode: str, *texts: str, votes: tuple[Vote, ...] = ()) -> Delta:
    return Delta(episode_id=episode, insights=tuple(Insight(content=text) for text in texts), votes=votes)


def test_a_lesson_learned_twice_is_one_bullet_with_one_vote() -> None:
    store = InMemoryPlaybook()
    first = curator(store).apply_delta(delta("e1", "round up the result"), DOMAIN)
    second = curator(store).apply_delta(delta("e2", "the result round up"), DOMAIN)
    (bullet,) = store.get_all(DOMAIN)
    assert bullet.helpful_count == 1
    assert [first.outcomes[0].outcome, second.outcomes[0].outcome] == [Outcome.ADDED, Outcome.MERGED]


def test_opposite_advice_is_kept_and_linked() -> None:
    store = InMemoryPlaybook()
    result = curator(store).apply_delta(delta("e1", "always round up", "never always round up"), DOMAIN)
    assert [outcome.outcome for outcome in result.outcomes] == [Outcome.ADDED, Outcome.LINKED]
    assert len(store.links(DOMAIN)) == 1


def test_the_same_key_again_answers_the_same_and_writes_nothing() -> None:
    store = InMemoryPlaybook()
    first = curator(store).apply_delta(delta("e1", "check units"), DOMAIN, idempotency_key="k")
    head = store.head(DOMAIN)
    assert curator(store).apply_delta(delta("e1", "check units"), DOMAIN, idempotency_key="k") == first
    assert store.head(DOMAIN) == head
    with pytest.raises(Conflict):
        curator(store).apply_delta(delta("e1", "check signs"), DOMAIN, idempotency_key="k")


def test_chunks_do_what_one_batch_does() -> None:
    deltas = [delta(f"e{n}", f"advice number {n % 7} here") for n in range(40)]
    whole, chunked = InMemoryPlaybook(), InMemoryPlaybook()
    curator(whole).batch_merge(deltas, DOMAIN)
    result = curator(chunked).batch_merge_chunked(deltas, DOMAIN, chunk_size=7)
    assert whole.get_all(DOMAIN) == chunked.get_all(DOMAIN)
    assert len(result.outcomes) == 40


@pytest.mark.parametrize(
    ("work", "error"),
    [
        pytest.param(
            lambda c: c.batch_merge([delta(f"e{n}") for n in range(101)], DOMAIN), BatchTooLarge, id="too-many"
        ),
        pytest.param(lambda c: c.apply_delta(delta("e1", " "), DOMAIN), InvalidInput, id="empty-advice"),
        pytest.param(lambda c: c.apply_delta(delta("e1", "fine"), "No Domain"), InvalidInput, id="bad-domain"),
        pytest.param(lambda c: c.apply_delta(delta("", "fine"), DOMAIN), InvalidInput, id="no-episode"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(work, error) -> None:  # type: ignore[no-untyped-def]
    store = InMemoryPlaybook()
    with pytest.raises(error):
        work(curator(store))
    assert store.head(DOMAIN).seq == 0


def test_a_batch_past_its_total_time_writes_nothing() -> None:
    clock = FrozenClock()

    class SlowEmbedder(HashEmbedder):
        def embed(self, texts):  # type: ignore[no-untyped-def]
            clock.advance(31)
            return super().embed(texts)

    store = InMemoryPlaybook()
    with pytest.raises(DeadlineExceeded, match="30 s"):
        curator(store, clock, SlowEmbedder()).apply_delta(delta("e1", "check units"), DOMAIN)
    assert store.head(DOMAIN).seq == 0


def test_votes_count_once_per_episode_and_a_stranger_id_is_passed_over() -> None:
    store = InMemoryPlaybook()
    added = curator(store).apply_delta(delta("e1", "check units"), DOMAIN).outcomes[0].bullet_id
    votes = (Vote(bullet_id=added, tag=Tag.HARMFUL), Vote(bullet_id="strategy-zzzzzzzzzz", tag=Tag.HELPFUL))
    for _ in range(2):
        curator(store).apply_delta(delta("e2", votes=votes), DOMAIN)
    (bullet,) = store.get_all(DOMAIN)
    assert (bullet.helpful_count, bullet.harmful_count) == (0, 1)


def test_a_bullet_added_between_search_and_lock_is_seen() -> None:
    """Two curators learn the same lesson at the same moment: one bullet, one vote."""
    store = InMemoryPlaybook()
    meeting = threading.Barrier(2, timeout=10)

    class MeetingRule(WordRule):
        def __init__(self) -> None:
            self.met = False

        def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
            if not self.met:
                self.met = True
                meeting.wait()
            return super().judge(pairs)

    def learn(episode: str, text: str) -> None:
        index, embedder = ExactIndex(store), HashEmbedder()
        one = SemanticCurator(
            store=store, index=index, embedder=embedder, second_look=MeetingRule(), clock=FrozenClock()
        )
        one.apply_delta(delta(episode, text), DOMAIN)

    threads = [threading.Thread(target=learn, args=(f"e{n}", text)) for n, text in enumerate(["a b c", "c b a"])]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [bullet.helpful_count for bullet in store.get_all(DOMAIN)] == [1]
    assert replay(store.entries(DOMAIN)).bullets == {bullet.id: bullet for bullet in store.get_all(DOMAIN)}


def test_cosine_mode_is_the_fields_usual_rule() -> None:
    pairs = [Pair(left="a", right="b", cosine=cosine) for cosine in (0.79, 0.8, 0.99)]
    assert CosineRule().judge(pairs) == [Relation.DIFFERENT, Relation.SAME, Relation.SAME]


def test_the_runbooks_numbers_are_where_the_runbook_says() -> None:
    numbers = (semantic_curator.MAX_BATCH_SIZE, semantic_curator.promotion_helpful_min)
    assert (*numbers, semantic_curator.promotion_ratio_min) == (100, 3, 3.0)


def test_a_batch_leaves_neither_its_lessons_nor_an_index_behind(sqlite_url: str, tmp_path: Path) -> None:
    """The runbook knows this as T072."""
    store = PlaybookRepository(require_head(Database(sqlite_url)))
    index = FaissManager(store, tmp_path / "indices")
    own = SemanticCurator(
        store=store, index=index, embedder=HashEmbedder(), second_look=WordRule(), clock=FrozenClock()
    )
    before = _lessons()  # other tests' cases
    for number in range(20):
        own.batch_merge([delta(f"e{number}-{n}", f"lesson {number} {n} of many") for n in range(20)], DOMAIN)
    assert _lessons() <= before
    assert list(index.loaded()) == [DOMAIN]
    assert list((tmp_path / "indices").rglob("*.tmp*")) == []
    index.close()
    assert index.loaded() == {}


def _lessons() -> int:
    """How many lessons are in this process's memory."""
    gc.collect()
    return sum(isinstance(one, Insight | Delta) for one in gc.get_objects())
