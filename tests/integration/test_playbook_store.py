"""The store's contract, on each store there is: in memory, in a SQLite file, in a real Postgres."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ace.core import replay
from ace.core.ports import BulletFilter, PlaybookStore
from ace.errors import Conflict, InvalidInput, NotFound
from ace.models.journal import Position
from ace.models.plan import Add, Increment, Operation, Promote, Quarantine, Relate, Restore, Rollback
from ace.models.playbook import Link, Origin, PlaybookStage, Section, SourceClass
from tests.playbooks import (
    DOMAIN,
    NOW,
    add,
    assert_sound,
    bullet,
    helpful,
    histories_of,
    moves,
    state_of,
    vector,
    vectors,
    write,
)

SHADOW, STAGING, PROD, QUARANTINED, ARCHIVED = PlaybookStage
numbers = itertools.count()


def test_a_domain_nobody_wrote_to_is_empty(store: PlaybookStore) -> None:
    assert store.head(DOMAIN) == Position()
    assert (store.domains(), store.get_all(DOMAIN), store.entries(DOMAIN), store.links(DOMAIN)) == ([], [], [], set())
    assert store.count_by_stage(DOMAIN) == dict.fromkeys(PlaybookStage, 0)
    assert store.get(DOMAIN, "strategy-none") is None


def test_a_transaction_that_does_nothing_leaves_no_domain_behind(store: PlaybookStore) -> None:
    with store.transaction(DOMAIN) as transaction:
        assert transaction.apply([], vectors={}, now=NOW) == []
    assert store.domains() == []
    assert store.head(DOMAIN) == Position()


def test_what_is_added_is_read_back_as_it_was(store: PlaybookStore) -> None:
    origin = {"source": SourceClass.TEMPLATE, "episode_id": "run/1/t", "task_id": "t", "model": "m", "confidence": 0.1}
    made = bullet("Größe vor Preis — 先に確認 \\u0000 '; DROP", section=Section.FORMULA, **origin)
    entries = write(store, Add(bullet=made))
    assert store.get(DOMAIN, made.id) == made
    assert made.origin == Origin(**origin)
    assert store.get_all(DOMAIN) == store.get_many(DOMAIN, [made.id]) == [made]
    assert store.entries(DOMAIN) == entries
    assert store.head(DOMAIN) == Position(seq=1, hash=entries[-1].hash)
    assert store.domains() == [DOMAIN]


def test_reads_give_the_order_asked_for(store: PlaybookStore) -> None:
    first, second, third = add(store, "one", "two", "three")
    assert [one.id for one in store.get_all(DOMAIN)] == [first, second, third]
    assert [one.id for one in store.get_many(DOMAIN, [third, "absent", first])] == [third, first]
    assert store.get_many(DOMAIN, []) == []


def test_entries_can_be_read_from_anywhere(store: PlaybookStore) -> None:
    add(store, *"abcde")
    assert [entry.seq for entry in store.entries(DOMAIN, after=2)] == [3, 4, 5]
    assert [entry.seq for entry in store.entries(DOMAIN, after=1, limit=2)] == [2, 3]
    assert store.entries(DOMAIN, after=5) == store.entries(DOMAIN, after=99) == []


def test_a_stage_is_read_alone_and_counted(store: PlaybookStore) -> None:
    one, two, three = add(store, "one", "two", "three")
    write(store, Promote(bullet_id=two, to=STAGING, reason="r"), Quarantine(bullet_id=three, reason="r"))
    assert [b.id for b in store.get_all(DOMAIN, stage=SHADOW)] == [one]
    assert [b.id for b in store.get_all(DOMAIN, stage=STAGING)] == [two]
    assert store.count_by_stage(DOMAIN) == {SHADOW: 1, STAGING: 1, PROD: 0, QUARANTINED: 1, ARCHIVED: 0}


def test_vectors_come_back_within_half_precision(store: PlaybookStore) -> None:
    one, two = add(store, "one", "two")
    found = store.vectors(DOMAIN, [two, one, two])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [vector("two"), vector("one"), vector("two")], atol=1e-3)
    assert store.vectors(DOMAIN, []).shape[0] == 0
    with pytest.raises(NotFound, match="absent"):
        store.vectors(DOMAIN, [one, "absent"])


def test_all_vectors_are_scanned_in_pages_as_of_one_position(store: PlaybookStore) -> None:
    ids = add(store, *(f"advice {n}" for n in range(10)))
    write(store, Promote(bullet_id=ids[3], to=STAGING, reason="r"))
    before = store.head(DOMAIN)
    with store.iter_vectors(DOMAIN, batch=4) as scan:
        assert (scan.position, scan.count) == (before, 10)
        pages = iter(scan)
        first = next(pages)
        add(store, "written meanwhile")
        found = [first, *pages]
    assert [len(page[0]) for page in found] == [4, 4, 2]
    assert {own: stage for page in found for own, stage in zip(page[0], page[1], strict=True)} == {
        own: STAGING if own == ids[3] else SHADOW for own in ids
    }
    for page in found:
        np.testing.assert_array_equal(page[2], store.vectors(DOMAIN, page[0]))


STEPS: list[Any] = [
    pytest.param([], Promote(bullet_id="?", to=STAGING, reason=""), STAGING, id="shadow-rises-to-staging"),
    pytest.param([], Promote(bullet_id="?", to=PROD, reason=""), None, id="shadow-skips-no-stage"),
    pytest.param([], Promote(bullet_id="?", to=SHADOW, reason=""), None, id="shadow-stays-shadow"),
    pytest.param([STAGING], Promote(bullet_id="?", to=PROD, reason=""), PROD, id="staging-rises-to-prod"),
    pytest.param([STAGING], Promote(bullet_id="?", to=STAGING, reason=""), None, id="no-stage-twice"),
    pytest.param([STAGING, PROD], Promote(bullet_id="?", to=PROD, reason=""), None, id="prod-is-the-top"),
    pytest.param([STAGING, PROD], Quarantine(bullet_id="?", reason=""), QUARANTINED, id="prod-is-quarantined"),
    pytest.param([], Quarantine(bullet_id="?", reason=""), QUARANTINED, id="shadow-is-quarantined"),
    pytest.param([QUARANTINED], Quarantine(bullet_id="?", reason=""), None, id="quarantined-once"),
    pytest.param([QUARANTINED], Promote(bullet_id="?", to=STAGING, reason=""), None, id="quarantined-never-rises"),
    pytest.param([QUARANTINED], Restore(bullet_id="?", reason=""), SHADOW, id="a-person-restores-to-shadow"),
    pytest.param([STAGING], Restore(bullet_id="?", reason=""), None, id="only-quarantined-is-restored"),
]


@pytest.mark.parametrize(("before", "step", "after"), STEPS)
def test_a_stage_changes_by_the_table_or_not_at_all(
    store: PlaybookStore, before: list[PlaybookStage], step: Any, after: PlaybookStage | None
) -> None:
    (own,) = add(store, "advice")
    for stage in before:
        quarantine = Quarantine(bullet_id=own, reason="r")
        write(store, quarantine if stage == QUARANTINED else Promote(bullet_id=own, to=stage, reason="r"))
    stage, head = store.get_all(DOMAIN)[0].stage, store.head(DOMAIN)
    due = type(step)(**{name: getattr(step, name) for name in step.__slots__} | {"bullet_id": own})
    if after is None:
        with pytest.raises(InvalidInput):
            write(store, due)
        assert (store.get_all(DOMAIN)[0].stage, store.head(DOMAIN)) == (stage, head)
    else:
        write(store, due)
        assert store.get_all(DOMAIN)[0].stage == after
    assert_sound(store)


def test_votes_add_up_and_count_once_per_episode(store: PlaybookStore) -> None:
    (own,) = add(store, "advice")
    write(store, helpful(own, "e1"), Increment(bullet_id=own, episode_id="e2", harmful=1), helpful(own, "e3"))
    with pytest.raises(InvalidInput, match="e1 has voted"):
        write(store, helpful(own, "e4"), helpful(own, "e1"))
    found = store.get_all(DOMAIN)[0]
    assert (found.helpful_count, found.harmful_count) == (2, 1)
    with store.transaction(DOMAIN) as transaction:
        asked = {(own, "e1"), (own, "e4"), ("other", "e2")}
        assert transaction.voted(asked) == {(own, "e1")}
        assert transaction.voted(set()) == set()


def test_one_batch_may_add_vote_raise_and_link(store: PlaybookStore) -> None:
    one, two = bullet("always round up"), bullet("never round up")
    entries = write(
        store,
        Add(bullet=one),
        helpful(one.id, "e1"),
        Add(bullet=two),
        Relate(link=Link.between(one.id, two.id)),
        Promote(bullet_id=one.id, to=STAGING, reason="r"),
        Promote(bullet_id=one.id, to=PROD, reason="r"),
    )
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert store.links(DOMAIN) == {Link.between(one.id, two.id)}
    found = store.get(DOMAIN, one.id)
    assert found == one.evolve(stage=PROD, helpful_count=1)
    assert_sound(store)


REFUSED: list[Any] = [
    pytest.param(lambda own: Add(bullet=bullet("advice")), "exists already", id="twice"),
    pytest.param(lambda own: Add(bullet=bullet("new", domain="other")), "belongs to", id="of-another-domain"),
    pytest.param(lambda own: Add(bullet=bullet("new").evolve(content=" ")), "says nothing", id="empty"),
    pytest.param(lambda own: Add(bullet=bullet("new").evolve(stage=PROD)), "start in shadow", id="born-in-prod"),
    pytest.param(lambda own: Add(bullet=bullet("new").evolve(helpful_count=9)), "without votes", id="born-praised"),
    pytest.param(lambda own: Add(bullet=bullet("a\0b")), "NUL", id="nul"),
    pytest.param(lambda own: Add(bullet=bullet("new").evolve(content="\ud800")), "JSON", id="lone-surrogate"),
    pytest.param(lambda own: Add(bullet=bullet("new", confidence=float("nan"))), "JSON", id="not-a-number"),
    pytest.param(lambda own: Add(bullet=bullet("new").evolve(id="x" * 201)), "201 characters", id="endless-id"),
    pytest.param(lambda own: helpful("absent", "e1"), "not in this domain", id="vote-on-nothing"),
    pytest.param(lambda own: helpful(own, ""), "0 characters", id="nameless-episode"),
    pytest.param(lambda own: helpful(own, "e\0"), "NUL", id="episode-with-nul"),
    pytest.param(lambda own: Increment(bullet_id=own, episode_id="e", helpful=2), "counts once", id="counts-twice"),
    pytest.param(lambda own: Increment(bullet_id=own, episode_id="e", harmful=-1), "counts once", id="counts-back"),
    pytest.param(lambda own: Relate(link=Link.between(own, "absent")), "not in this domain", id="link-to-nothing"),
    pytest.param(lambda own: Quarantine(bullet_id=own, reason="\0"), "NUL", id="reason-with-nul"),
    pytest.param(lambda own: Rollback(to=99, reason="r"), "no position 99", id="back-to-the-future"),
    pytest.param(lambda own: Rollback(to=-1, reason="r"), "no position -1", id="back-before-the-start"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED)
def test_what_cannot_follow_is_refused_with_all_that_came_with_it(store: PlaybookStore, make: Any, words: str) -> None:
    (own,) = add(store, "advice")
    before = state_of(store)
    with store.transaction(DOMAIN) as transaction:  # the writer goes on after the error: still nothing half done
        refused = [Add(bullet=bullet("fine")), Rollback(to=1, reason="r"), Add(bullet=bullet("good")), make(own)]
        with pytest.raises(InvalidInput, match=words):
            transaction.apply(refused, vectors=vectors(refused), now=NOW)
        assert transaction.head.seq == 1
    assert state_of(store) == before
    assert_sound(store)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(None, "none given", id="missing"),
        pytest.param(np.zeros(7, np.float32), "7 numbers", id="another-size"),
        pytest.param(np.full(8, np.nan, np.float32), "not finite", id="not-a-number"),
        pytest.param(np.full(8, 1e9, np.float32), "too large", id="too-large"),
        pytest.param(np.zeros((1, 8), np.float32), "lists of numbers", id="nested"),
    ],
)
def test_a_bullet_without_a_usable_vector_is_refused(store: PlaybookStore, given: Any, words: str) -> None:
    add(store, "advice")
    made = bullet("new")
    with pytest.raises(InvalidInput, match=words), store.transaction(DOMAIN) as transaction:
        transaction.apply([Add(bullet=made)], vectors={} if given is None else {made.id: given}, now=NOW)
    assert len(assert_sound(store)) == 1


def test_an_error_in_the_transaction_leaves_no_trace(store: PlaybookStore) -> None:
    with pytest.raises(RuntimeError), store.transaction(DOMAIN) as transaction:
        transaction.apply([Add(bullet=bullet("a"))], vectors={bullet("a").id: vector("a")}, now=NOW)
        transaction.remember("key", "hash", {})
        raise RuntimeError
    assert (store.domains(), store.get_all(DOMAIN), store.head(DOMAIN)) == ([], [], Position())
    with store.transaction(DOMAIN) as transaction:
        assert transaction.recall("key", "hash") is None


def test_a_writer_sees_its_own_work_and_readers_see_it_afterwards(store: PlaybookStore) -> None:
    made = bullet("advice")
    with store.transaction(DOMAIN) as transaction:
        entries = transaction.apply([Add(bullet=made)], vectors={made.id: vector("x")}, now=NOW)
        assert transaction.present([made.id, "absent"]) == {made.id: made}
        assert transaction.head == Position(seq=1, hash=entries[-1].hash)
        assert store.head(DOMAIN) == Position()
        transaction.apply([helpful(made.id, "e1")], vectors={}, now=NOW)
    assert store.head(DOMAIN).seq == 2
    assert_sound(store)


@pytest.mark.parametrize("domain", ["", "Customer", "a/b", "a\n", "x" * 65, "-a"])
def test_a_domain_that_is_no_name_is_refused(store: PlaybookStore, domain: str) -> None:
    with pytest.raises(InvalidInput, match="domain"), store.transaction(domain):
        pass
    assert store.domains() == []


def test_an_answer_is_remembered_by_its_key(store: PlaybookStore) -> None:
    answer = {"outcomes": [{"similarity": 0.25}], "text": "Größe"}
    with store.transaction(DOMAIN) as transaction:
        assert transaction.recall("key", "hash") is None
        transaction.remember("key", "hash", answer)
        transaction.remember("key", "hash", {"another": "answer"})
    with store.transaction(DOMAIN) as transaction:
        assert transaction.recall("key", "hash") == answer
        with pytest.raises(Conflict, match="'key'"):
            transaction.recall("key", "another request")
        with pytest.raises(Conflict):
            transaction.remember("key", "another request", {})
    with store.transaction("customer-b") as transaction:
        assert transaction.recall("key", "another request") is None


def test_domains_do_not_touch(store: PlaybookStore) -> None:
    (own,) = add(store, "advice")
    (theirs,) = add(store, "advice", domain="customer-b")
    same = bullet("advice").evolve(domain_id="customer-b")  # the same id in both
    write(store, Add(bullet=same), domain="customer-b")
    before = state_of(store), store.head(DOMAIN)
    write(store, helpful(own, "e1"), Quarantine(bullet_id=own, reason="r"), domain="customer-b")
    write(store, Relate(link=Link.between(own, theirs)), Rollback(to=1, reason="r"), domain="customer-b")
    assert (state_of(store), store.head(DOMAIN)) == before
    assert [one.id for one in store.get_all("customer-b")] == [theirs]
    assert store.get(DOMAIN, theirs) is None
    assert store.domains() == [DOMAIN, "customer-b"]
    assert_sound(store), assert_sound(store, "customer-b")


def test_a_rollback_restores_exactly_what_was(store: PlaybookStore) -> None:
    one, two = add(store, "one", "two")
    write(
        store, helpful(one, "e1"), Relate(link=Link.between(one, two)), Promote(bullet_id=one, to=STAGING, reason="r")
    )
    before = state_of(store)
    add(store, "three")
    write(store, helpful(one, "e2"), helpful(two, "e2"), Quarantine(bullet_id=one, reason="r"))
    write(store, Rollback(to=5, reason="worse"))
    assert state_of(store) == before
    assert store.head(DOMAIN).seq == 10
    write(store, helpful(one, "e2"), Add(bullet=bullet("three")))  # forgotten votes and bullets may come again
    assert_sound(store)


def test_a_rolled_back_bullet_returns_with_its_vector(store: PlaybookStore) -> None:
    (own,) = add(store, "advice")
    write(store, Rollback(to=0, reason="empty"))
    assert store.get_all(DOMAIN) == []
    with store.iter_vectors(DOMAIN) as scan:
        assert (scan.count, list(scan)) == (0, [])
    write(store, Rollback(to=1, reason="undo"))
    assert [one.id for one in store.get_all(DOMAIN)] == [own]
    np.testing.assert_allclose(store.vectors(DOMAIN, [own])[0], vector("advice"), atol=1e-3)
    assert_sound(store)


def carries_out_what_the_core_allows(store: PlaybookStore, domain: str, batches: list[list[Operation]]) -> None:
    """Each batch is carried out whole or refused whole, as the core says; the rest of the world agrees."""
    done: list[Operation] = []
    for batch in batches:
        try:
            expected = replay.fold([*done, *batch])
        except InvalidInput:
            with pytest.raises(InvalidInput):
                write(store, *batch, domain=domain)
        else:
            write(store, *batch, domain=domain)
            done += batch
            assert state_of(store, domain) == expected
    assert len(assert_sound(store, domain)) == len(done)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_history_is_carried_out_as_the_core_says(store: PlaybookStore, data: st.DataObject) -> None:
    domain = f"d{next(numbers)}"
    first = data.draw(histories_of(domain))
    batches = data.draw(st.lists(st.lists(moves(domain), min_size=1, max_size=3), max_size=10))
    carries_out_what_the_core_allows(store, domain, [first, *batches])


def test_bullets_are_listed_newest_first_a_page_at_a_time_and_by_what_is_asked(store: PlaybookStore) -> None:
    ids = add(store, "check the UNITS", "100% sure", "units_of measure", "read twice")
    write(store, Promote(bullet_id=ids[2], to=PlaybookStage.STAGING, reason="r"))

    def listed(before: int | None = None, limit: int = 9, **wanted: Any) -> list[str]:
        found = store.page(DOMAIN, BulletFilter(**wanted), limit=limit, before=before)
        return [one.bullet.id for one in found]

    assert listed() == ids[::-1]
    assert listed(limit=2) == [ids[3], ids[2]]
    assert listed(limit=2, before=3) == [ids[1], ids[0]]
    assert listed(stage=PlaybookStage.STAGING) == [ids[2]]
    assert listed(section=Section.TOOL) == []
    assert listed(text="units") == [ids[2], ids[0]]
    assert listed(text="0%") == [ids[1]]
    assert listed(text="s_o") == [ids[2]]
    assert listed(text="\\") == []
    assert store.page(DOMAIN, BulletFilter(), limit=1)[0].created_at == NOW
    assert store.page("other", BulletFilter(), limit=9) == []


def test_a_bullets_history_is_what_the_journal_says_of_it_alone(store: PlaybookStore) -> None:
    one, other = add(store, "advice", 'quotes "advice"')
    write(store, helpful(one, "e1"), Relate(link=Link.between(one, other)), helpful(other, "e1"))
    write(store, Quarantine(bullet_id=one, reason="r"), Rollback(to=2, reason="r"))
    kinds = [entry.kind for entry in store.history(DOMAIN, one)]
    assert kinds == ["add", "increment", "relate", "quarantine", "rollback"]
    assert store.history("other", one) == []


def test_the_stages_of_every_domain_are_counted(store: PlaybookStore) -> None:
    ids = add(store, "one", "two")
    add(store, "one", domain="other")
    write(store, Quarantine(bullet_id=ids[0], reason="r"))
    counted = store.counts()
    assert sorted(counted) == [DOMAIN, "other"]
    assert counted[DOMAIN] == store.count_by_stage(DOMAIN)
    assert counted[DOMAIN][PlaybookStage.QUARANTINED] == 1
