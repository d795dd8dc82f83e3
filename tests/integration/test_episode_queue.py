"""The queue's contract, on each queue there is: in memory, in a SQLite file, in a real Postgres."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import pytest

from ace.core.gathering import grown
from ace.core.leasing import MAX_ATTEMPTS, pause
from ace.core.ports import EpisodeQueue, PlaybookStore
from ace.errors import Conflict, InvalidInput, LeaseLost, NotFound
from ace.models.episode import Claim, Episode, EpisodeState
from ace.models.plan import Add
from ace.models.receipt import Receipt
from ace.models.task import AnswerKind, Feedback, FeedbackSource, Step, Usage
from ace.models.trace import Message, Span, SpanKind, Trace, TraceSource
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.statements import statement
from ace.testing.episodes import InMemoryEpisodes
from ace.testing.playbook import InMemoryPlaybook
from tests.episodes import AT, UNJUDGED, episode
from tests.playbooks import DOMAIN, NOW, add, assert_sound, bullet, helpful, vectors

QUEUED, LEASED, DONE, DEAD = EpisodeState
LEASE = 60.0


@dataclass
class Stores:
    playbook: PlaybookStore
    episodes: EpisodeQueue


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    if request.param == "memory":
        memory = InMemoryPlaybook()
        yield Stores(memory, InMemoryEpisodes(memory))
        return
    opened = Database(request.getfixturevalue(f"{request.param}_url"))
    yield Stores(PlaybookRepository(opened), EpisodeRepository(opened))
    opened.close()


@pytest.fixture
def queue(stores: Stores) -> EpisodeQueue:
    return stores.episodes


def taken(queue: EpisodeQueue, worker: str = "w", now: float = AT, domain: str | None = None) -> Claim:
    claim = queue.claim(worker, now, LEASE, domain)
    assert claim is not None
    return claim


def state(queue: EpisodeQueue, own: str = "e1") -> tuple[EpisodeState, int]:
    status = queue.status(DOMAIN, own)
    assert status is not None
    return status.state, status.attempts


def test_a_report_comes_back_as_it_was(queue: EpisodeQueue) -> None:
    given = episode(
        "e1", question="Größe? \0 先に '; DROP", feedback=Feedback(correct=False, source=FeedbackSource.JUDGE)
    )
    steps = (Step(thought="t", tool="sum", arguments="{}", observation="4"),)
    trajectory = replace(given.trajectory, steps=steps, usage=Usage(calls=2, cost_usd=0.5), latency_s=1.25)
    task = replace(given.task, options=("4", "5"), kind=AnswerKind.NUMBER, decimals=0)
    given = replace(given, trajectory=trajectory, task=task, principal="key-1")
    assert queue.report(given) is True
    assert queue.get(DOMAIN, "e1") == given
    assert taken(queue).episode == given
    assert (queue.get(DOMAIN, "none"), queue.status(DOMAIN, "none")) == (None, None)


def test_a_repeat_changes_nothing_and_another_body_is_refused(queue: EpisodeQueue) -> None:
    assert [queue.report(episode("e1")), queue.report(episode("e1", at=AT + 9))] == [True, False]
    claim = taken(queue)
    assert queue.report(episode("e1", at=AT + 10)) is False
    assert state(queue) == (LEASED, 1)
    with pytest.raises(Conflict, match="another body"):
        queue.report(episode("e1", question="another?"))
    assert queue.get(DOMAIN, "e1") == claim.episode
    assert queue.report(episode("e1", domain="other")) is True, "ids are a domain's own"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(episode(""), id="no-id"),
        pytest.param(episode("x" * 201), id="long-id"),
        pytest.param(episode("a\0b"), id="nul-in-id"),
        pytest.param(episode("e1", domain="../etc"), id="not-a-domain"),
        pytest.param(episode("e1", question="half \ud800"), id="lone-surrogate"),
        pytest.param(episode("e1", latency_s=float("nan")), id="nan"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_field(queue: EpisodeQueue, bad: Episode) -> None:
    with pytest.raises(InvalidInput):
        queue.report(bad)
    assert sum(queue.counts().values()) == 0


def test_a_receipt_is_good_for_one_episode(queue: EpisodeQueue) -> None:
    """Else one context could be reported a thousand times, and its lots counted as often."""
    receipt = Receipt(id="r1", domain_id=DOMAIN, position=1)
    assert queue.report(replace(episode("e1"), receipt=receipt))
    assert not queue.report(replace(episode("e1"), receipt=receipt))
    with pytest.raises(Conflict, match="receipt was reported before"):
        queue.report(replace(episode("e2"), receipt=receipt))
    assert queue.report(replace(episode("e2"), receipt=replace(receipt, id="r2")))
    assert queue.counts(DOMAIN)[EpisodeState.QUEUED] == 2


def part(own: str, text: str) -> Trace:
    said = (Message(role="user", text=text),)
    return Trace(source=TraceSource.OTLP, id="t", spans=(Span(id=own, kind=SpanKind.MODEL, input=said),))


def gather(queue: EpisodeQueue, more: Trace, due: float, now: float = AT) -> bool:
    return queue.gather(DOMAIN, "otlp-t", partial(grown, more=more, domain_id=DOMAIN, now=now, principal="k"), due)


def test_a_trace_grows_until_a_worker_takes_it(queue: EpisodeQueue) -> None:
    assert gather(queue, part("s1", "What is 2 + 2?"), due=AT + 120)
    assert gather(queue, part("s1", "What is 2 + 2?"), due=AT + 120), "the same again is no news"
    assert gather(queue, part("s2", "And 3 + 3?"), due=AT + 10, now=AT + 5)
    assert queue.claim("w", AT + 9, LEASE) is None, "not due yet"
    claim = taken(queue, now=AT + 10)
    assert claim.episode.trace and [span.id for span in claim.episode.trace.spans] == ["s1", "s2"]
    assert (claim.episode.reported_at, claim.episode.principal) == (AT, "k")
    assert not gather(queue, part("s3", "Too late"), due=AT)
    queue.postpone(claim, "later", AT + 11)
    assert not gather(queue, part("s3", "Too late"), due=AT)
    assert queue.get(DOMAIN, "otlp-t") == claim.episode


def test_what_was_reported_whole_does_not_grow(queue: EpisodeQueue) -> None:
    queue.report(episode("otlp-t"))
    assert not gather(queue, part("s1", "What is 2 + 2?"), due=AT)
    assert queue.get(DOMAIN, "otlp-t") == episode("otlp-t")


def test_a_gathered_trace_is_the_same_report_as_the_whole_one(queue: EpisodeQueue) -> None:
    gather(queue, part("s1", "What is 2 + 2?"), due=AT)
    known = queue.get(DOMAIN, "otlp-t")
    assert known and queue.report(replace(known, trace=None, reported_at=AT + 9)) is False


def test_parts_that_come_at_once_are_all_kept(stores: Stores) -> None:
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda n: gather(stores.episodes, part(f"s{n}", f"{n}?"), due=AT), range(16)))
    known = stores.episodes.get(DOMAIN, "otlp-t")
    assert all(kept) and known and known.trace
    assert {span.id for span in known.trace.spans} == {f"s{number}" for number in range(16)}


def test_the_longest_due_is_taken_first_and_only_once(queue: EpisodeQueue) -> None:
    for number, at in enumerate((AT + 2, AT, AT + 1)):
        queue.report(episode(f"e{number}", at=at))
    assert queue.claim("w", AT - 1, LEASE) is None, "not due yet"
    claims = [taken(queue, now=AT + 5) for _ in range(3)]
    assert [claim.episode.id for claim in claims] == ["e1", "e2", "e0"]
    assert {(claim.worker, claim.attempt) for claim in claims} == {("w", 1)}
    assert queue.claim("w", AT + 5, LEASE) is None
    assert queue.counts() == {QUEUED: 0, LEASED: 3, DONE: 0, DEAD: 0}


def test_a_domain_can_be_worked_on_alone(queue: EpisodeQueue) -> None:
    queue.report(episode("a", domain="one"))
    queue.report(episode("b", domain="two", at=AT + 1))
    assert taken(queue, now=AT + 2, domain="two").episode.id == "b"
    assert queue.claim("w", AT + 2, LEASE, "two") is None
    assert (queue.counts("one")[QUEUED], queue.counts("two")[LEASED], queue.counts()[QUEUED]) == (1, 1, 1)


def test_an_episode_whose_lease_ran_out_goes_to_another(queue: EpisodeQueue) -> None:
    queue.report(episode("e1"))
    first = taken(queue, "w1")
    assert queue.claim("w2", AT + LEASE - 1, LEASE) is None
    second = taken(queue, "w2", AT + LEASE)
    assert (second.episode, second.attempt) == (first.episode, 2)
    for late in (queue.release, partial(queue.postpone, error="late", now=AT)):
        with pytest.raises(LeaseLost, match="no longer w1's"):
            late(first)
    assert state(queue) == (LEASED, 2)


def test_a_failure_is_tried_again_later_and_later_then_dead_with_its_reason(queue: EpisodeQueue) -> None:
    queue.report(episode("e1"))
    now = AT
    for attempt in range(1, MAX_ATTEMPTS):
        status = queue.postpone(taken(queue, now=now), f"failure {attempt}\0\ud800", now)
        assert (status.state, status.attempts, status.due_at) == (QUEUED, attempt, now + pause(attempt))
        assert queue.claim("w", now + pause(attempt) - 1, LEASE) is None
        now += pause(attempt)
    last = queue.postpone(taken(queue, now=now), "failure 5", now)
    assert (last.state, last.attempts, last.error, last.owner) == (DEAD, MAX_ATTEMPTS, "failure 5", None)
    assert queue.status(DOMAIN, "e1") == last
    assert queue.claim("w", now + 10**6, LEASE) is None


def test_the_pauses_grow_to_an_hour() -> None:
    assert [pause(n) for n in (1, 2, 3, 4, 9)] == [30, 120, 480, 1920, 3600]


def test_an_episode_that_kills_its_workers_dies_and_the_next_is_taken(queue: EpisodeQueue) -> None:
    queue.report(episode("e1"))
    now = AT
    for number in range(1, MAX_ATTEMPTS + 1):
        assert taken(queue, f"w{number}", now).attempt == number
        now += LEASE
    queue.report(episode("e2", at=now))
    assert taken(queue, "w6", now).episode.id == "e2"
    status = queue.status(DOMAIN, "e1")
    assert status is not None
    assert (status.state, status.attempts) == (DEAD, MAX_ATTEMPTS)
    assert "worker w5 died" in (status.error or "")


def test_what_is_given_back_is_first_in_line_and_has_lost_no_attempt(queue: EpisodeQueue) -> None:
    queue.report(episode("e1"))
    queue.report(episode("e2", at=AT + 1))
    status = queue.release(taken(queue, now=AT + 2))
    assert (status.state, status.attempts, status.owner) == (QUEUED, 0, None)
    assert taken(queue, now=AT + 2).episode.id == "e1"


def test_what_is_deferred_waits_until_then_says_why_and_has_lost_no_attempt(queue: EpisodeQueue) -> None:
    queue.report(episode("e1"))
    claim = taken(queue)
    status = queue.defer(claim, "no budget\0", AT + 900)
    assert (status.state, status.attempts, status.owner, status.error) == (QUEUED, 0, None, "no budget")
    assert queue.claim("w", AT + 899, LEASE) is None
    assert taken(queue, "w2", now=AT + 900).attempt == 1
    with pytest.raises(LeaseLost):
        queue.defer(claim, "late", AT)


def test_only_the_dead_are_queued_again(queue: EpisodeQueue) -> None:
    queue.report(episode("e1"))
    with pytest.raises(Conflict, match="is queued"):
        queue.requeue(DOMAIN, "e1")
    with pytest.raises(NotFound, match="no episode 'none'"):
        queue.requeue(DOMAIN, "none")
    first = kill(queue)
    assert queue.requeue(DOMAIN, "e1").state == QUEUED
    again = taken(queue, "w2")
    assert again.attempt == 1, "all its attempts"
    with pytest.raises(LeaseLost):
        queue.release(first)


def kill(queue: EpisodeQueue, own: str = "e1") -> Claim:
    """Fail at the episode until it is dead; the first claim."""
    claims = []
    for _ in range(MAX_ATTEMPTS):
        claim = queue.claim_one("w1", AT, LEASE, DOMAIN, own)
        assert claim is not None
        claims.append(claim)
        queue.postpone(claim, "no", AT)
    return claims[0]


def test_one_episode_can_be_asked_for_due_or_not(queue: EpisodeQueue) -> None:
    queue.report(episode("e1", at=AT + 1000))
    claim = queue.claim_one("w", AT, LEASE, DOMAIN, "e1")
    assert claim is not None
    assert claim.attempt == 1
    assert queue.claim_one("w", AT, LEASE, DOMAIN, "e1") is None, "leased"
    assert queue.claim_one("w", AT, LEASE, DOMAIN, "none") is None
    assert queue.claim_one("w", AT + LEASE, LEASE, DOMAIN, "e1") is not None


def test_lists_go_by_id_and_by_pages(queue: EpisodeQueue) -> None:
    for own in "cab":
        queue.report(episode(own))
    queue.report(episode("a", domain="other"))
    taken(queue, domain=DOMAIN)
    assert [status.id for status in queue.list(DOMAIN)] == ["a", "b", "c"]
    assert [status.id for status in queue.list(DOMAIN, limit=1, after="a")] == ["b"]
    assert [status.id for status in queue.list(DOMAIN, QUEUED)] == ["b", "c"]
    assert [status.owner for status in queue.list(DOMAIN, LEASED)] == ["w"]


def test_the_episodes_of_a_bullet_are_those_that_showed_or_cited_it(queue: EpisodeQueue) -> None:
    queue.report(episode("shown", shown=["strategy-a%b"]))
    queue.report(episode("cited", cited=["strategy-a%b", "x"]))
    queue.report(episode("like", shown=["strategy-aXb", "strategy-a%bc"]))
    queue.report(episode("said", question='"strategy-a%b"'))
    queue.report(episode("elsewhere", shown=["strategy-a%b"], domain="other"))
    assert [status.id for status in queue.naming(DOMAIN, "strategy-a%b")] == ["cited", "shown"]


def test_merge_and_done_are_one_commit(stores: Stores) -> None:
    stores.episodes.report(episode("e1"))
    claim = taken(stores.episodes)
    with stores.playbook.transaction(DOMAIN) as transaction:
        transaction.apply([], vectors={}, now=NOW)
        transaction.finish_episode(claim, {"votes": 0, "added": 2})
        assert stores.episodes.counts()[DONE] == 0, "not before the commit"
    status = stores.episodes.status(DOMAIN, "e1")
    assert status is not None
    assert (status.state, status.result, status.error) == (DONE, '{"added":2,"votes":0}', None)
    with pytest.raises(LeaseLost):
        stores.episodes.release(claim)
    assert stores.episodes.claim("w", AT + 10**6, LEASE) is None


def test_a_crash_between_merge_and_commit_leaves_nothing(stores: Stores) -> None:
    stores.episodes.report(episode("e1"))
    claim = taken(stores.episodes)
    with pytest.raises(ZeroDivisionError), stores.playbook.transaction(DOMAIN) as transaction:
        new = [Add(bullet=bullet("advice"))]
        transaction.apply(new, vectors=vectors([*new]), now=NOW)
        transaction.finish_episode(claim, {})
        _ = 1 // 0
    assert stores.playbook.get_all(DOMAIN) == []
    assert state(stores.episodes) == (LEASED, 1)


def test_a_worker_that_comes_too_late_writes_nothing(stores: Stores) -> None:
    [own] = add(stores.playbook, "advice")
    stores.episodes.report(episode("e1"))
    late = taken(stores.episodes, "w1")
    quick = taken(stores.episodes, "w2", AT + LEASE)
    finish(stores, quick, own)
    with pytest.raises(LeaseLost):
        finish(stores, late, own)
    found = stores.playbook.get(DOMAIN, own)
    assert found is not None
    assert found.helpful_count == 1
    assert len(assert_sound(stores.playbook)) == 2


def finish(stores: Stores, claim: Claim, own: str) -> None:
    with stores.playbook.transaction(DOMAIN) as transaction:
        if not transaction.voted({(own, claim.episode.id)}):
            transaction.apply([helpful(own, claim.episode.id)], vectors={}, now=NOW)
        transaction.finish_episode(claim, {})


def test_a_claim_that_was_given_back_cannot_finish(stores: Stores) -> None:
    stores.episodes.report(episode("e1"))
    claim = taken(stores.episodes)
    stores.episodes.release(claim)
    with pytest.raises(LeaseLost), stores.playbook.transaction(DOMAIN) as transaction:
        transaction.finish_episode(claim, {})


def test_a_report_does_not_make_a_domain_known_before_it_learned_something(stores: Stores) -> None:
    stores.episodes.report(episode("e1", feedback=UNJUDGED))
    assert stores.playbook.domains() == []
    assert add(stores.playbook, "advice")
    assert stores.playbook.domains() == [DOMAIN]


def test_threads_share_the_work_without_doing_any_twice(stores: Stores) -> None:
    queue, [own] = stores.episodes, add(stores.playbook, "advice")
    for number in range(40):
        queue.report(episode(f"e{number}"))

    def work(name: str) -> list[str]:
        done = []
        while claim := queue.claim(name, AT, LEASE):
            finish(stores, claim, own)
            done.append(claim.episode.id)
        return done

    with ThreadPoolExecutor(4) as pool:
        done = Counter(own for part in pool.map(work, ["w1", "w2", "w3", "w4"]) for own in part)
    assert done == Counter({f"e{number}": 1 for number in range(40)})
    found = stores.playbook.get(DOMAIN, own)
    assert found is not None
    assert found.helpful_count == 40
    assert_sound(stores.playbook)


def test_a_report_does_not_wait_for_a_merge(postgres_url: str) -> None:
    database = Database(postgres_url, patience=2)
    playbook, queue = PlaybookRepository(database), EpisodeRepository(database)
    add(playbook, "advice")
    with playbook.transaction(DOMAIN):
        assert queue.report(episode("e1")) is True
    database.close()


def test_an_episode_in_another_hand_is_passed_over(postgres_url: str) -> None:
    database = Database(postgres_url, patience=2)
    playbook, queue = PlaybookRepository(database), EpisodeRepository(database)
    queue.report(episode("e1"))
    queue.report(episode("e2", at=AT + 1))
    claim = taken(queue, now=AT + 2)
    with playbook.transaction(DOMAIN) as transaction:
        transaction.finish_episode(claim, {})
        assert taken(queue, now=AT + 2 + LEASE).episode.id == "e2"
    assert state(queue) == (DONE, 1)
    database.close()


def test_a_report_of_another_release_does_not_hold_up_the_others(database: Database) -> None:
    queue = EpisodeRepository(database)
    for number in range(2):
        queue.report(episode(f"e{number}", at=AT + number))
    rewrite = statement("UPDATE episodes SET body = :body WHERE id = 'e0'")
    with database.transaction() as session:
        session.run(rewrite, body='{"task":{"kind":"riddle"},"trajectory":{"shown":[],"cited":[]}}')
    assert taken(queue, now=AT + 2).episode.id == "e1"
    status = queue.status(DOMAIN, "e0")
    assert status is not None
    assert (status.state, status.attempts) == (QUEUED, 1)
    assert "cannot be read by this release" in (status.error or "")
    with pytest.raises(InvalidInput, match="Upgrade ACE"):
        queue.get(DOMAIN, "e0")
