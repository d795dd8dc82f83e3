"""Promotion by evidence in a real store: what the journal shows decides, and anyone can decide again from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from ace.core.book import Book
from ace.core.evidence import redecide
from ace.core.gates import Gate, Verdict
from ace.core.ports import PlaybookStore
from ace.models.evidence import Policy
from ace.models.integrity import Tampering
from ace.models.journal import Entry
from ace.models.observation import Lot, Observation
from ace.models.plan import Increment, Observe, Operation, Pairs, Promote, Rollback
from ace.models.playbook import PlaybookStage
from ace.models.task import FeedbackSource
from ace.services.books import Books
from ace.services.staging import Staging
from ace.services.verification import verify
from ace.testing.clock import FrozenClock
from tests.playbooks import DOMAIN, add, assert_sound, write

SHADOW, STAGING, PROD, QUARANTINED, ARCHIVED = PlaybookStage
GATES = {SHADOW: Gate(helpful_min=3, ratio_min=3.0), STAGING: Gate(helpful_min=5, ratio_min=5.0)}
KINDS = ("0" * 16, "f" * 16, "0" * 8 + "f" * 8)
PRINCIPALS = ("key-1", "key-2", "key-3")
numbers = itertools.count()


def manager(store: PlaybookStore, policy: Policy = Policy.EVIDENCE) -> Staging:
    return Staging(store, FrozenClock(), levels=GATES, policy=policy)


def stage(store: PlaybookStore, own: str) -> PlaybookStage:
    return store.get_many(DOMAIN, [own])[0].stage


def episode(bullet_id: str, *, principal: str, kind: str, success: bool, shown: bool = True) -> list[Operation]:
    """What an episode merges: what it showed, and the vote of an answer that cited the bullet."""
    own = f"e{next(numbers)}"
    lot = Lot(bullet_id=bullet_id, chance=0.5, shown=shown)
    seen = Observation(episode_id=own, source=FeedbackSource.TESTS, success=success, principal=principal, kind=kind,
                       position=1, traffic="shadow", lots=(lot,))  # fmt: skip
    cast = Increment(bullet_id=bullet_id, episode_id=own, principal=principal, helpful=int(success),
                     harmful=int(not success))  # fmt: skip
    return [Observe(observation=seen), *([cast] if shown else [])]


def supported(bullet_id: str, times: int = 2) -> Iterator[Operation]:
    """Every principal, on every kind of task, says that it helped."""
    for principal, kind, _ in itertools.product(PRINCIPALS, KINDS, range(times)):
        yield from episode(bullet_id, principal=principal, kind=kind, success=True)


def decisions(store: PlaybookStore) -> list[Entry]:
    return [entry for entry in store.entries(DOMAIN) if entry.body.get("ruling")]


def test_what_replays_and_principals_confirm_reaches_prod_step_by_step(store: PlaybookStore) -> None:
    good, lucky = add(store, "good", "lucky")
    write(store, *supported(good), *supported(lucky), Pairs(bullet_id=good, wins=14, losses=1, ties=30))
    assert [(m.bullet_id, m.after) for m in manager(store).advance(DOMAIN).moves] == [(good, STAGING)]
    assert [(m.bullet_id, m.after) for m in manager(store).advance(DOMAIN).moves] == [(good, PROD)]
    assert manager(store).advance(DOMAIN).moves == ()
    assert verify(DOMAIN, store).fault == ""
    assert stage(store, lucky) == SHADOW, "helpful votes alone are luck"
    assert manager(store, Policy.FIXED).advance(DOMAIN).promoted == 1, "which is all that fixed gates ask for"
    assert_sound(store)


def test_one_principal_or_one_kind_of_task_is_not_enough(store: PlaybookStore) -> None:
    alone, narrow = add(store, "alone", "narrow")
    for kind in KINDS * 2:
        write(store, *episode(alone, principal="key-1", kind=kind, success=True))
    for principal in PRINCIPALS * 2:
        write(store, *episode(narrow, principal=principal, kind=KINDS[0], success=True))
    write(store, *(Pairs(bullet_id=own, wins=20, losses=0) for own in (alone, narrow)))
    assert manager(store).advance(DOMAIN).moves == ()


def test_votes_sent_by_hand_have_no_weight(store: PlaybookStore) -> None:
    (own,) = add(store, "own")
    hand = (Increment(bullet_id=own, episode_id=f"hand {n}", helpful=1, principal=PRINCIPALS[n % 3]) for n in range(9))
    write(store, *hand, Pairs(bullet_id=own, wins=20, losses=0))
    assert manager(store).advance(DOMAIN).moves == ()


def test_harm_that_the_counters_do_not_show_quarantines(store: PlaybookStore) -> None:
    (own,) = add(store, "harmful")
    write(store, *supported(own), Pairs(bullet_id=own, wins=0, losses=6))
    (move,) = manager(store).advance(DOMAIN).moves
    assert (move.after, move.reason.split(":")[0]) == (QUARANTINED, "harm shown, bar 3")


def test_live_lots_alone_can_show_an_effect(store: PlaybookStore) -> None:
    """Shown it succeeds, kept back it fails, whoever reports."""
    (own,) = add(store, "own")
    rounds = list(itertools.product(PRINCIPALS, KINDS, range(4)))
    for (principal, kind, _), shown in itertools.product(rounds, (True, False)):
        write(store, *episode(own, principal=principal, kind=kind, success=shown, shown=shown))
    manager(store).advance(DOMAIN)
    assert stage(store, own) == STAGING
    assert decisions(store)[0].body["ruling"]["evidence"]["live_helpful"] > 10


@pytest.mark.parametrize("policy", Policy)
def test_every_decision_can_be_made_again_from_the_journal(store: PlaybookStore, policy: Policy) -> None:
    good, bad = add(store, "good", "bad")
    write(store, *supported(good), Pairs(bullet_id=good, wins=14, losses=1))
    for principal, kind in itertools.product(PRINCIPALS, KINDS):
        write(store, *episode(bad, principal=principal, kind=kind, success=False))
    manager(store, policy).advance(DOMAIN)
    write(store, Pairs(bullet_id=good, wins=0, losses=3), *supported(bad))  # what came later does not matter
    assert verify(DOMAIN, store).fault == ""
    found = decisions(store)
    assert [(entry.kind, entry.body["bullet_id"]) for entry in found] == [("promote", good), ("quarantine", bad)]
    for entry in found:
        ruling, expected = entry.body["ruling"], {"promote": Verdict.RISE, "quarantine": Verdict.QUARANTINE}[entry.kind]
        again = redecide(ruling)
        assert (again.verdict, again.reason) == (expected, ruling["reason"])
        if policy == Policy.EVIDENCE:
            book = Books(store).at(DOMAIN, ruling["position"])
            before = store.get_many(DOMAIN, [entry.body["bullet_id"]])[0].evolve(
                stage=SHADOW, helpful_count=ruling["evidence"].get("helpful_count", 0),
                harmful_count=ruling["evidence"].get("harmful_count", 0))  # fmt: skip
            assert book.evidence(before).to_json() == ruling["evidence"]


def forged(bullet_id: str, ruling: dict[str, Any], **changes: Any) -> Operation:
    """A promotion with a ruling that is not quite the one that was made."""
    told = ruling | {"evidence": ruling["evidence"] | {"bullet_id": bullet_id}} | changes
    return Promote(bullet_id=bullet_id, to=STAGING, reason=told["reason"], ruling=told)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({}, "another stage or other counters", id="evidence-of-another-bullet"),
        pytest.param({"reason": "because"}, "gives another decision", id="another-reason"),
        pytest.param({"evidence": {}}, "cannot be read", id="no-evidence"),
        pytest.param({"policy": "fixed"}, "gives another decision", id="another-policy"),
    ],
)
def test_a_decision_that_its_evidence_does_not_give_is_found(
    store: PlaybookStore, changes: dict[str, Any], says: str
) -> None:
    good, other = add(store, "good", "other")
    write(store, *supported(good), Pairs(bullet_id=good, wins=14, losses=1))
    manager(store).advance(DOMAIN)
    assert verify(DOMAIN, store).fault == ""
    ruling = decisions(store)[0].body["ruling"]
    write(store, forged(other, ruling, **changes))
    found = verify(DOMAIN, store).found
    assert found is not None
    assert (found.kind, found.seq) == (Tampering.DECISION, store.head(DOMAIN).seq)
    assert says in found.says


@pytest.mark.parametrize(
    ("ahead", "says"), [(0, "the journal up to there gives other evidence"), (-2, "not as of the head")]
)
def test_evidence_made_up_is_found_though_counters_are_right(store: PlaybookStore, ahead: int, says: str) -> None:
    good, other = add(store, "good", "other")
    write(store, *supported(good), *supported(other), Pairs(bullet_id=good, wins=14, losses=1))
    manager(store).advance(DOMAIN)
    ruling = decisions(store)[0].body["ruling"]
    write(store, forged(other, ruling, position=store.head(DOMAIN).seq + ahead))
    found = verify(DOMAIN, store).found
    assert found is not None
    assert says in found.says


def test_a_book_carried_on_is_the_book_counted_anew(store: PlaybookStore) -> None:
    own, other = add(store, "own", "other")
    books = Books(store)
    for round_ in range(3):
        write(store, *supported(own), Pairs(bullet_id=other, wins=round_, losses=1))
        manager(store).advance(DOMAIN)
        with books.open(DOMAIN) as book:
            anew = books.at(DOMAIN)
            for bullet in store.get_all(DOMAIN):
                assert book.evidence(bullet) == anew.evidence(bullet)
            assert (book.family(), book.position, book.worth()) == (anew.family(), anew.position, anew.worth())


def test_what_is_rolled_back_is_no_evidence(store: PlaybookStore) -> None:
    (own,) = add(store, "own")
    books, before = Books(store), store.head(DOMAIN).seq
    write(store, *supported(own), Pairs(bullet_id=own, wins=14, losses=1))
    with books.open(DOMAIN) as book:
        assert book.evidence(store.get_all(DOMAIN)[0]).supporters == 3
    write(store, Rollback(to=before, reason="poisoned"))
    assert verify(DOMAIN, store).fault == ""
    with books.open(DOMAIN) as book:
        assert book.evidence(store.get_all(DOMAIN)[0]) == Book().evidence(store.get_all(DOMAIN)[0])
    assert manager(store).advance(DOMAIN).moves == ()


def test_a_dry_run_says_what_the_run_then_does(store: PlaybookStore) -> None:
    (own,) = add(store, "own")
    write(store, *supported(own), Pairs(bullet_id=own, wins=14, losses=1))
    said = manager(store).due(DOMAIN).moves
    assert manager(store).advance(DOMAIN).moves == said


def test_what_the_playbook_is_worth_is_counted_from_the_tasks_held_out(store: PlaybookStore) -> None:
    (own,) = add(store, "own")
    for number in range(400):
        out = number % 4 == 0
        right = number % (3 if out else 5) != 0
        seen = Observation(episode_id=f"w{number}", source=FeedbackSource.TESTS, success=right, position=1,
                           holdout=0.25, held_out=out)  # fmt: skip
        write(store, Observe(observation=seen))
    with Books(store).open(DOMAIN) as book:
        found = book.worth()
    assert (found.with_playbook.n, found.held_out.n) == (300, 100)
    assert found.with_playbook.value == pytest.approx(0.8, abs=0.01)
    assert found.held_out.value == pytest.approx(0.66, abs=0.01)
    assert found.difference.low > 0
    assert own
