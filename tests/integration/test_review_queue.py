"""The review queue's contract on each store there is, and the decisions on it: in memory, in SQLite, in Postgres."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from ace.core.ports import Pair, PlaybookStore, ReviewQueue
from ace.core.review import Policy
from ace.core.similarity import Relation
from ace.curator.semantic_curator import SemanticCurator
from ace.errors import Conflict, InvalidInput, NotFound
from ace.models.insight import Delta, Insight, Tag, Vote
from ace.models.plan import MergeResult, Outcome, Rollback
from ace.models.playbook import SourceClass
from ace.models.review import ReviewItem, ReviewMode, ReviewState
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.review_repository import ReviewRepository
from ace.services.review import Reviews
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from ace.testing.reviews import InMemoryReviews
from tests.playbooks import DOMAIN, NOW, assert_sound

OTHER = "customer-b"
WAITING, APPROVED, REJECTED = ReviewState


class WordRule:
    """Opposite when one says never, same when the words are the same in any order."""

    def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
        return [self._one(set(pair.left.lower().split()), set(pair.right.lower().split())) for pair in pairs]

    def _one(self, left: set[str], right: set[str]) -> Relation:
        if ("never" in left) != ("never" in right):
            return Relation.CONTRADICTS
        return Relation.SAME if left == right else Relation.DIFFERENT


@dataclass
class Desk:
    """A store with its queue, a Curator that holds everything doubtful, and the service."""

    store: PlaybookStore
    queue: ReviewQueue

    def __post_init__(self) -> None:
        self.clock = FrozenClock()
        self.curator = SemanticCurator(
            store=self.store, index=ExactIndex(self.store), embedder=HashEmbedder(), second_look=WordRule(),
            clock=self.clock, reviews=self.queue, policy=Policy(mode=ReviewMode.FULL, votes_per_principal=2),
        )  # fmt: skip
        self.reviews = Reviews(store=self.store, queue=self.queue, curator=self.curator, clock=self.clock)

    def learn(
        self, episode: str, *texts: str, confidence: float = 1.0, domain: str = DOMAIN, **more: object
    ) -> MergeResult:
        insights = tuple(Insight(content=text, confidence=confidence) for text in texts)
        return self.curator.apply_delta(Delta(episode_id=episode, insights=insights, **more), domain)  # type: ignore[arg-type]

    def held(self, episode: str, text: str, **more: object) -> str:
        """The id of an item that waits, for its confidence alone."""
        (outcome,) = self.learn(episode, text, confidence=0.3, **more).outcomes  # type: ignore[arg-type]
        assert outcome.outcome == Outcome.HELD
        return outcome.bullet_id


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    if request.param == "memory":
        store = InMemoryPlaybook()
        yield Desk(store, InMemoryReviews(store))
        return
    opened = Database(request.getfixturevalue(f"{request.param}_url"))
    yield Desk(PlaybookRepository(opened), ReviewRepository(opened))
    opened.close()


def test_an_item_is_read_as_it_was_held(desk: Desk) -> None:
    own = desk.held("e1", "round  up", task_id="t1", model="m", principal="p", shown=("b1", "b2"), prompt_hash="f" * 64)
    assert desk.queue.get(DOMAIN, own) == ReviewItem(
        id=own, domain_id=DOMAIN, insight=Insight(content="round up", confidence=0.3),
        reasons=("confidence: 0.30 is below 0.60",), episode_id="e1", task_id="t1", model="m", principal="p",
        shown=("b1", "b2"), prompt_hash="f" * 64, created_at=desk.clock.now().timestamp(),
    )  # fmt: skip
    assert desk.store.get_all(DOMAIN) == []
    assert desk.store.entries(DOMAIN) == [], "what waits changes no playbook"


def test_items_are_listed_oldest_first_by_state_a_page_at_a_time(desk: Desk) -> None:
    ids = []
    for number in range(5):
        ids.append(desk.held(f"e{number}", f"advice number{number}"))
        desk.clock.advance(1)
    desk.reviews.reject(DOMAIN, ids[1], "no", by="me")
    assert [item.id for item in desk.reviews.list(DOMAIN)] == ids
    assert [item.id for item in desk.reviews.list(DOMAIN, WAITING)] == [ids[0], *ids[2:]]
    page = desk.reviews.list(DOMAIN, limit=2)
    assert [item.id for item in desk.reviews.list(DOMAIN, limit=2, after=page[-1].id)] == ids[2:4]
    assert desk.reviews.counts(DOMAIN) == {WAITING: 4, APPROVED: 0, REJECTED: 1}
    assert desk.queue.counts() == desk.queue.counts(DOMAIN)


def test_a_domain_knows_nothing_of_anothers_items(desk: Desk) -> None:
    own = desk.held("e1", "round up")
    assert desk.queue.get(OTHER, own) is None
    assert desk.queue.list(OTHER) == []
    assert desk.queue.counts(OTHER) == dict.fromkeys(ReviewState, 0)
    assert desk.queue.near(OTHER, HashEmbedder().embed(["round up"]), floor=0.0, k=5) == [[]]
    with pytest.raises(NotFound):
        desk.reviews.approve(OTHER, own, by="me")


def test_the_nearest_items_are_found_best_first(desk: Desk) -> None:
    near, far = desk.held("e1", "round the final result up"), desk.held("e2", "round the result")
    desk.held("e3", "use another table")
    (found,) = desk.queue.near(DOMAIN, HashEmbedder().embed(["round the final result up"]), floor=0.5, k=5)
    assert [item.id for item, _ in found] == [near, far]
    assert found[0][1] == pytest.approx(1.0, abs=1e-3)
    assert len(desk.queue.near(DOMAIN, HashEmbedder().embed(["round the final result up"]), floor=0.5, k=1)[0]) == 1


def test_the_same_text_or_advice_waits_once(desk: Desk) -> None:
    own = desk.held("e1", "round up")
    assert desk.held("e2", "round up") == own
    assert desk.held("e3", "up round") == own
    assert len(desk.queue.list(DOMAIN)) == 1


def test_what_is_held_is_held_with_the_rest_of_the_merge_or_not_at_all(desk: Desk) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    delta = Delta(episode_id="e1", insights=(Insight(content="doubtful", confidence=0.1), Insight(content="sure")))
    with pytest.raises(ZeroDivisionError):
        desk.curator.apply_delta(delta, DOMAIN, along=fail)
    assert (desk.queue.list(DOMAIN), desk.store.get_all(DOMAIN)) == ([], [])
    desk.curator.apply_delta(delta, DOMAIN)
    assert (len(desk.queue.list(DOMAIN)), len(desk.store.get_all(DOMAIN))) == (1, 1)


def test_an_idempotent_merge_answers_with_what_was_held(desk: Desk) -> None:
    delta = Delta(episode_id="e1", insights=(Insight(content="doubtful", confidence=0.1),))
    first = desk.curator.apply_delta(delta, DOMAIN, idempotency_key="k")
    assert desk.curator.apply_delta(delta, DOMAIN, idempotency_key="k") == first
    assert first.outcomes[0].reasons == ("confidence: 0.10 is below 0.60",)


def test_approving_adds_the_bullet_with_its_provenance(desk: Desk) -> None:
    own = desk.held("e1", "round up", task_id="t1", model="m", principal="p", shown=("b1",), prompt_hash="f" * 64)
    item = desk.reviews.approve(DOMAIN, own, by="me")
    (bullet,) = desk.store.get_all(DOMAIN)
    assert (item.state, item.decided_by, item.bullet_id) == (APPROVED, "me", bullet.id)
    assert bullet.id == own
    origin = bullet.origin
    assert (origin.source, origin.episode_id, origin.task_id, origin.model) == (SourceClass.HUMAN, "e1", "t1", "m")
    assert (origin.principal, origin.shown, origin.prompt_hash) == ("p", ("b1",), "f" * 64)
    assert_sound(desk.store)


def test_approving_in_other_words_keeps_the_provenance(desk: Desk) -> None:
    own = desk.held("e1", "round up", task_id="t1")
    item = desk.reviews.approve(DOMAIN, own, by="me", content="Round half up.")
    (bullet,) = desk.store.get_all(DOMAIN)
    assert (bullet.content, bullet.origin.source, bullet.origin.task_id) == ("Round half up.", SourceClass.HUMAN, "t1")
    assert (item.bullet_id, item.decision, item.insight.content) == (bullet.id, "edited", "round up")
    again = desk.learn("e2", "round up", confidence=0.3).outcomes[0]
    assert (again.outcome, again.bullet_id) == (Outcome.MERGED, bullet.id), "a person said what that advice is"


def test_approving_a_contradiction_links_the_pair(desk: Desk) -> None:
    (known,) = desk.learn("e1", "always round up").outcomes
    (held,) = desk.learn("e2", "never always round up").outcomes
    assert (held.outcome, held.contradicts) == (Outcome.HELD, (known.bullet_id,))
    assert desk.store.links(DOMAIN) == set()
    desk.reviews.approve(DOMAIN, held.bullet_id, by="me")
    (link,) = desk.store.links(DOMAIN)
    assert {link.left, link.right} == {known.bullet_id, held.bullet_id}
    assert [entry.kind for entry in assert_sound(desk.store)] == ["add", "add", "relate"]


def test_approving_what_is_known_meanwhile_confirms_it(desk: Desk) -> None:
    own = desk.held("e1", "round up")
    (known,) = desk.learn("e2", "up round").outcomes
    assert known.outcome == Outcome.ADDED
    assert desk.reviews.approve(DOMAIN, own, by="me").bullet_id == known.bullet_id
    assert len(desk.store.get_all(DOMAIN)) == 1


def test_a_rejected_insight_is_not_proposed_again(desk: Desk) -> None:
    own = desk.held("e1", "round up")
    item = desk.reviews.reject(DOMAIN, own, "wrong for taxes", by="me")
    assert (item.state, item.decision) == (REJECTED, "wrong for taxes")
    for text in ("round up", "up round"):
        (again,) = desk.learn("e2", text).outcomes
        assert (again.outcome, again.bullet_id) == (Outcome.REJECTED, own)
    assert desk.store.get_all(DOMAIN) == []


def test_a_rejection_taken_back_waits_again_and_can_be_decided_anew(desk: Desk) -> None:
    own = desk.held("e1", "round up")
    with pytest.raises(Conflict, match="only what was rejected"):
        desk.reviews.reopen(DOMAIN, own, "too early", by="me")
    desk.reviews.reject(DOMAIN, own, "wrong for taxes", by="me")
    item = desk.reviews.reopen(DOMAIN, own, "it was right", by="you")
    assert (item.state, item.decided_by, item.decision) == (WAITING, "you", "reopened: it was right")
    assert desk.reviews.approve(DOMAIN, own, by="me").state == APPROVED
    assert [bullet.content for bullet in desk.store.get_all(DOMAIN)] == ["round up"]


def test_a_second_decision_is_a_conflict_and_changes_nothing(desk: Desk) -> None:
    own = desk.held("e1", "round up")
    desk.reviews.reject(DOMAIN, own, "no", by="me")
    before = desk.queue.get(DOMAIN, own)
    for decide in (
        lambda: desk.reviews.approve(DOMAIN, own, by="you"),
        lambda: desk.reviews.reject(DOMAIN, own, "never", by="you"),
        lambda: desk.reviews.approve(DOMAIN, own, by="you", key="k"),
    ):
        with pytest.raises(Conflict):
            decide()
    assert desk.queue.get(DOMAIN, own) == before
    assert desk.store.entries(DOMAIN) == [], "the merge of a decision that came too late is undone"


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_the_same_decision_by_the_same_key_is_made_once(desk: Desk, decision: str) -> None:
    own = desk.held("e1", "round up")

    def decide() -> ReviewItem:
        if decision == "approve":
            return desk.reviews.approve(DOMAIN, own, by="me", key="k")
        return desk.reviews.reject(DOMAIN, own, "no", by="me", key="k")

    assert decide() == decide()
    with pytest.raises(Conflict):
        desk.reviews.reject(DOMAIN, own, "another reason", by="me", key="k")


@pytest.mark.parametrize(
    ("work", "error"),
    [
        pytest.param(lambda d, own: d.reviews.approve(DOMAIN, own, by="me", content=" "), InvalidInput, id="no-words"),
        pytest.param(lambda d, own: d.reviews.reject(DOMAIN, own, "", by="me"), InvalidInput, id="no-reason"),
        pytest.param(lambda d, own: d.reviews.get(DOMAIN, "nothing"), NotFound, id="no-such"),
        pytest.param(lambda d, own: d.reviews.get(DOMAIN, "a\0b"), NotFound, id="a-nul"),
    ],
)
def test_bad_decisions_are_refused(desk: Desk, work: Callable[[Desk, str], object], error: type[Exception]) -> None:
    own = desk.held("e1", "round up")
    with pytest.raises(error):
        work(desk, own)
    assert desk.queue.counts(DOMAIN)[WAITING] == 1


def test_of_many_who_decide_at_once_one_is_heard(desk: Desk) -> None:
    own = desk.held("e1", "round up")
    heard: list[str] = []

    def decide(by: str) -> None:
        try:
            if by.startswith("a"):
                desk.reviews.approve(DOMAIN, own, by=by)
            else:
                desk.reviews.reject(DOMAIN, own, "no", by=by)
        except Conflict:
            return
        heard.append(by)

    threads = [threading.Thread(target=decide, args=(f"{kind}{n}",)) for n in range(3) for kind in "ar"]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    item = desk.queue.get(DOMAIN, own)
    assert item is not None
    assert heard == [item.decided_by]
    assert len(desk.store.get_all(DOMAIN)) == (item.state == APPROVED)
    assert_sound(desk.store)


def test_a_principal_counts_twice_on_a_bullet_and_again_after_a_rollback(desk: Desk) -> None:
    own = desk.learn("e0", "round up").outcomes[0].bullet_id

    def votes(*episodes: str, principal: str | None) -> int:
        for episode in episodes:
            given = (Vote(bullet_id=own, tag=Tag.HELPFUL),)
            desk.curator.apply_delta(Delta(episode_id=episode, votes=given, principal=principal), DOMAIN)
        bullet = desk.store.get(DOMAIN, own)
        assert bullet is not None
        return bullet.helpful_count

    assert votes("e1", "e2", "e3", "e4", principal="p") == 2
    assert votes("e5", principal="q") == 3
    assert votes("e6", "e7", "e8", principal=None) == 6, "without keys there is nobody to tell apart"
    with desk.store.transaction(DOMAIN) as transaction:
        transaction.apply([Rollback(to=2, reason="")], vectors={}, now=NOW)
    assert votes(principal="p") == 1
    assert votes("e2", "e9", principal="p") == 2
    assert_sound(desk.store)


def test_a_rejection_outlives_a_rollback(desk: Desk) -> None:
    own = desk.held("e1", "round up")
    desk.reviews.reject(DOMAIN, own, "no", by="me")
    with desk.store.transaction(DOMAIN) as transaction:
        transaction.apply([Rollback(to=0, reason="")], vectors={}, now=NOW)
    assert desk.learn("e2", "round up").outcomes[0].outcome == Outcome.REJECTED


def test_with_review_off_nothing_is_held_and_nothing_remembered(desk: Desk) -> None:
    desk.reviews.reject(DOMAIN, desk.held("e1", "round up"), "no", by="me")
    delta = Delta(episode_id="e2", insights=(Insight(content="round up", confidence=0.1),))
    off = replace(Policy(), mode=ReviewMode.OFF)
    assert desk.curator.apply_delta(delta, DOMAIN, policy=off).outcomes[0].outcome == Outcome.ADDED
