"""The laws of the journal and of what it adds up to, for any history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ace.core.journal import canonical, chain, first_broken, timestamp
from ace.core.replay import NEXT_STAGE, State, apply, fold, replay
from ace.errors import InvalidInput
from ace.models.journal import Entry, Position
from ace.models.plan import (
    Add,
    Increment,
    Operation,
    Promote,
    Quarantine,
    Restore,
    Rollback,
    operation_from_json,
    operation_to_json,
)
from ace.models.playbook import IN_USE, Bullet, PlaybookStage
from tests.playbooks import DOMAIN, NOW, TEXTS, bullet, helpful, histories_of, moves

SHADOW, STAGING, PROD, QUARANTINED, ARCHIVED = PlaybookStage
OWN = bullet("advice")


histories = histories_of(DOMAIN)


def _and_shuffled(operations: list[Operation]) -> st.SearchStrategy[tuple[list[Operation], list[Operation]]]:
    return st.tuples(st.just(operations), st.permutations(operations))


def journal(operations: list[Operation], domain: str = DOMAIN) -> list[Entry]:
    return chain(domain, Position(), operations, NOW)


@given(histories)
def test_replaying_the_journal_gives_the_state(operations: list[Operation]) -> None:
    assert replay(journal(operations)) == fold(operations)


@given(st.lists(moves()))
def test_every_operation_survives_the_journal(operations: list[Operation]) -> None:
    for operation in operations:
        kind, body = operation_to_json(operation)
        assert operation_from_json(kind, json.loads(canonical(body))) == operation


def steps(operations: list[Operation]) -> Iterator[tuple[State, State]]:
    """The states before and after each operation that is no rollback."""
    for seq, operation in enumerate(operations):
        if not isinstance(operation, Rollback):
            yield fold(operations[:seq]), fold(operations[: seq + 1])


@given(histories)
def test_content_and_origin_never_change(operations: list[Operation]) -> None:
    for before, after in steps(operations):
        for own, bullet_before in before.bullets.items():
            found = after.bullets[own]
            changeable = {"stage": found.stage, "helpful_count": found.helpful_count}
            assert bullet_before.evolve(**changeable, harmful_count=found.harmful_count) == found


@given(histories)
def test_counters_votes_and_links_fall_only_by_a_rollback(operations: list[Operation]) -> None:
    for before, after in steps(operations):
        assert after.links >= before.links
        assert after.votes >= before.votes
        for own, bullet_before in before.bullets.items():
            assert after.bullets[own].helpful_count >= bullet_before.helpful_count
            assert after.bullets[own].harmful_count >= bullet_before.harmful_count


@given(histories)
def test_no_stage_is_skipped(operations: list[Operation]) -> None:
    for before, after in steps(operations):
        for own, found in after.bullets.items():
            stage = before.bullets[own].stage if own in before.bullets else SHADOW
            moves = {NEXT_STAGE.get(stage), ARCHIVED} if stage in IN_USE else {SHADOW}
            assert found.stage in {stage, QUARANTINED, *moves}


@given(histories)
def test_an_episode_counts_at_most_once_on_a_bullet(operations: list[Operation]) -> None:
    state = fold(operations)
    for own, found in state.bullets.items():
        episodes = sum(voted == own for voted, _ in state.votes)
        assert max(found.helpful_count, found.harmful_count) <= episodes


@given(histories, st.data())
def test_a_rollback_is_the_state_at_that_position(operations: list[Operation], data: st.DataObject) -> None:
    to = data.draw(st.integers(0, len(operations)))
    assert fold([*operations, Rollback(to=to, reason="r")]) == fold(operations[:to])


@given(histories)
def test_a_rollback_can_itself_be_rolled_back(operations: list[Operation]) -> None:
    undo, redo = Rollback(to=0, reason="undo"), Rollback(to=len(operations), reason="redo")
    assert fold([*operations, undo, redo]) == fold(operations)


votes = st.builds(
    Increment,
    bullet_id=st.sampled_from([bullet(text).id for text in TEXTS]),
    episode_id=st.sampled_from("abcdefgh"),
    helpful=st.integers(0, 1),
    harmful=st.integers(0, 1),
)


@given(st.lists(votes, min_size=2, unique_by=lambda vote: (vote.bullet_id, vote.episode_id)).flatmap(_and_shuffled))
def test_the_order_of_votes_does_not_matter(orders: tuple[list[Operation], list[Operation]]) -> None:
    adds: list[Operation] = [Add(bullet=bullet(text)) for text in TEXTS]
    assert fold([*adds, *orders[0]]) == fold([*adds, *orders[1]])


REFUSED: list[Any] = [
    pytest.param([], helpful(OWN.id, "e"), id="vote-on-nothing"),
    pytest.param([Add(bullet=OWN)], Add(bullet=OWN), id="born-twice"),
    pytest.param([Add(bullet=OWN), helpful(OWN.id, "e")], helpful(OWN.id, "e"), id="votes-twice"),
    pytest.param([Add(bullet=OWN)], Increment(bullet_id=OWN.id, episode_id="e", helpful=1, harmful=2), id="counts-two"),
    pytest.param([Add(bullet=OWN)], Promote(bullet_id=OWN.id, to=PROD, reason="r"), id="skips-a-stage"),
    pytest.param([Add(bullet=OWN)], Restore(bullet_id=OWN.id, reason="r"), id="restored-unharmed"),
    pytest.param([Add(bullet=OWN)], Rollback(to=2, reason="r"), id="back-to-the-future"),
]


@pytest.mark.parametrize(("before", "operation"), REFUSED)
def test_what_cannot_follow_is_refused(before: list[Operation], operation: Operation) -> None:
    fold(before)
    with pytest.raises(InvalidInput):
        fold([*before, operation])


def test_a_rollback_needs_the_whole_journal() -> None:
    with pytest.raises(InvalidInput, match="whole journal"):
        apply(State(), Rollback(to=0, reason="r"))


def test_bullets_are_kept_in_order_of_birth() -> None:
    made = [bullet(text) for text in ("b", "a", "c")]
    adds: list[Operation] = [Add(bullet=one) for one in made]
    touched = [*adds, Quarantine(bullet_id=made[0].id, reason="r")]
    assert list(fold(touched).bullets) == [one.id for one in made]


def altered(entry: Entry) -> st.SearchStrategy[Entry]:
    """The entry with one thing about it changed."""
    return st.sampled_from(
        [
            replace(entry, domain_id="customer-b"),
            replace(entry, seq=entry.seq + 1),
            replace(entry, at=entry.at + timedelta(microseconds=1)),
            replace(entry, kind="purge"),
            replace(entry, body={**entry.body, "reason": "another"}),
            replace(entry, previous="1" * 64),
            replace(entry, hash="1" * 64),
        ]
    )


@given(histories, st.data())
def test_a_changed_entry_is_found_where_it_is(operations: list[Operation], data: st.DataObject) -> None:
    assume(operations)
    entries = journal(operations)
    assert first_broken(entries) is None
    place = data.draw(st.integers(0, len(entries) - 1))
    entries[place] = data.draw(altered(entries[place]))
    assert first_broken(entries) == entries[place]


@given(histories, st.data())
def test_a_missing_or_moved_entry_is_found(operations: list[Operation], data: st.DataObject) -> None:
    assume(len(operations) > 1)
    entries = journal(operations)
    place = data.draw(st.integers(0, len(entries) - 2))
    missing = entries[:place] + entries[place + 1 :]
    assert first_broken(missing) == missing[place]
    moved = [*entries[:place], entries[place + 1], entries[place], *entries[place + 2 :]]
    assert first_broken(moved) == moved[place]


@given(histories, st.data())
def test_a_journal_goes_on_from_any_head(operations: list[Operation], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(operations)))
    first = journal(operations[:place])
    head = Position(seq=first[-1].seq, hash=first[-1].hash) if first else Position()
    rest = chain(DOMAIN, head, operations[place:], NOW)
    assert [*first, *rest] == journal(operations)
    assert first_broken(rest, start=head) is None


def test_the_same_history_in_another_domain_has_other_hashes() -> None:
    operations: list[Operation] = [Rollback(to=0, reason="r")]
    assert journal(operations)[0].hash != journal(operations, "customer-b")[0].hash


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('aé先\n"\\'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
)


@given(st.dictionaries(st.sampled_from("abcd"), values))
def test_equal_values_have_one_text_and_it_reads_back(value: dict[str, Any]) -> None:
    backwards = dict(reversed(list(value.items())))
    assert canonical(value) == canonical(backwards)
    assert json.loads(canonical(value)) == value


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_no_text_is_made_of_what_is_no_number(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"confidence": number})


def test_one_moment_has_one_text() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert timestamp(elsewhere) == timestamp(NOW) == "2026-03-01T09:30:00.123456+00:00"


def test_a_bullet_is_a_plain_value() -> None:
    assert Bullet.from_json(OWN.to_json()) == OWN
