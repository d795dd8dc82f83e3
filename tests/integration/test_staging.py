"""Bullets move by their evidence: once, for a stated reason, as they are when the domain is held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.gates import Gate, Gates, Verdict, decide
from ace.core.ports import PlaybookStore
from ace.core.ports import Transaction as Held
from ace.models.plan import Archive, Increment, Operation, Promote, Quarantine
from ace.models.playbook import PlaybookStage
from ace.services import staging
from ace.services.staging import Staging
from ace.testing.clock import FrozenClock
from ace.testing.playbook import InMemoryPlaybook
from tests.playbooks import DOMAIN, add, assert_sound, write

SHADOW, STAGING, PROD, QUARANTINED, ARCHIVED = PlaybookStage
GATES = {SHADOW: Gate(helpful_min=3, ratio_min=3.0), STAGING: Gate(helpful_min=5, ratio_min=5.0)}
votes = st.tuples(st.sampled_from(PlaybookStage), st.integers(0, 12), st.integers(0, 4))


def given_votes(store: PlaybookStore, bullet_id: str, stage: PlaybookStage, helpful: int, harmful: int) -> None:
    """Put a bullet where a test wants it."""
    ladder: dict[PlaybookStage, list[Operation]] = {
        SHADOW: [],
        STAGING: [Promote(bullet_id=bullet_id, to=STAGING, reason="test")],
        PROD: [Promote(bullet_id=bullet_id, to=to, reason="test") for to in (STAGING, PROD)],
        QUARANTINED: [Quarantine(bullet_id=bullet_id, reason="test")],
        ARCHIVED: [Archive(bullet_id=bullet_id, reason="test")],
    }
    up = [Increment(bullet_id=bullet_id, episode_id=f"up {n}", helpful=1) for n in range(helpful)]
    down = [Increment(bullet_id=bullet_id, episode_id=f"down {n}", harmful=1) for n in range(harmful)]
    write(store, *ladder[stage], *up, *down)


def by(store: PlaybookStore, gates: Gates = GATES) -> Staging:
    return Staging(store, FrozenClock(), levels=gates)


def run(store: PlaybookStore) -> dict[str, PlaybookStage]:
    done = by(store).advance(DOMAIN)
    return {move.bullet_id: move.after for move in done.moves}


def test_a_bullet_takes_one_step_a_run_and_says_why(store: PlaybookStore) -> None:
    good, bad, new = add(store, "good", "bad", "new")
    given_votes(store, good, SHADOW, 6, 1)
    given_votes(store, bad, SHADOW, 0, 1)
    planned = by(store).due(DOMAIN)
    assert (planned.promoted, planned.quarantined) == (1, 1)
    assert store.get_many(DOMAIN, [good, bad])[0].stage == SHADOW, "looking changes nothing"
    assert run(store) == {good: STAGING, bad: QUARANTINED}
    assert run(store) == {good: PROD}
    assert run(store) == {}
    assert [b.stage for b in store.get_many(DOMAIN, [good, bad, new])] == [PROD, QUARANTINED, SHADOW]
    reasons = [entry.body["reason"] for entry in assert_sound(store) if entry.kind == "promote"]
    assert reasons[0] == "helpful=6 harmful=1 ratio=6.00, gate helpful>=3 ratio>=3.00"


def test_a_domain_nobody_wrote_to_stays_unwritten(store: PlaybookStore) -> None:
    assert run(store) == {}
    assert store.domains() == []


@given(st.lists(votes, max_size=12), st.integers(1, 6), st.sampled_from([0.5, 1.0, 1.1, 2.5, 3.0, 10 / 3]))
def test_what_is_read_is_exactly_what_the_gates_move_in_memory(
    found: list[tuple[PlaybookStage, int, int]], helpful_min: int, ratio_min: float
) -> None:
    check_ripe(InMemoryPlaybook(), found, helpful_min, ratio_min)


def check_ripe(
    store: PlaybookStore, found: list[tuple[PlaybookStage, int, int]], helpful_min: int, ratio_min: float
) -> None:
    ids = add(store, *(f"advice {number}" for number in range(len(found))))
    for own, (stage, helpful, harmful) in zip(ids, found, strict=True):
        given_votes(store, own, stage, helpful, harmful)
    gates = {SHADOW: Gate(helpful_min=helpful_min, ratio_min=ratio_min), STAGING: GATES[STAGING]}
    ruled = {bullet.id: decide(bullet, gates) for bullet in store.get_all(DOMAIN)}
    expected = {own: one.reason for own, one in ruled.items() if one.verdict != Verdict.STAY}
    assert {move.bullet_id: move.reason for move in by(store, gates).due(DOMAIN).moves} == expected


@pytest.mark.parametrize("ratio_min", [0.5, 1.1, 3.0, 10 / 3])
def test_what_is_read_is_exactly_what_the_gates_move(store: PlaybookStore, ratio_min: float) -> None:
    grid = [(stage, up, down) for stage in PlaybookStage for up in (0, 1, 3, 5, 10, 11, 33) for down in (0, 1, 3, 10)]
    check_ripe(store, grid, 3, ratio_min)


class Interrupted(InMemoryPlaybook):
    """Somebody else writes between the reading and the holding."""

    meanwhile: tuple[Operation, ...] = ()

    @contextmanager
    def transaction(self, domain_id: str) -> Iterator[Held]:  # type: ignore[override]
        work, self.meanwhile = self.meanwhile, ()
        if work:
            write(self, *work)
        with super().transaction(domain_id) as held:
            yield held


@pytest.mark.parametrize(
    ("meanwhile", "after"),
    [
        pytest.param(lambda own: Increment(bullet_id=own, episode_id="late", harmful=1), SHADOW, id="a-vote-came"),
        pytest.param(lambda own: Promote(bullet_id=own, to=STAGING, reason="r"), STAGING, id="another-promoted-it"),
        pytest.param(lambda own: Quarantine(bullet_id=own, reason="r"), QUARANTINED, id="a-person-took-it-out"),
    ],
)
def test_what_has_changed_since_it_was_read_is_decided_anew(meanwhile: object, after: PlaybookStage) -> None:
    store = Interrupted()
    (own,) = add(store, "advice")
    given_votes(store, own, SHADOW, 5, 1)
    store.meanwhile = (meanwhile(own),)  # type: ignore[operator]
    assert run(store) == {}
    assert store.get_all(DOMAIN)[0].stage == after


def test_many_bullets_move_in_several_short_transactions(store: PlaybookStore) -> None:
    many = 2 * staging.CHUNK + 1
    ids = add(store, *(f"advice {number}" for number in range(many)))
    write(store, *(Increment(bullet_id=own, episode_id="e", helpful=1) for own in ids))
    easy = {SHADOW: Gate(helpful_min=1, ratio_min=1.0)}
    assert by(store, easy).advance(DOMAIN).promoted == many
    assert store.count_by_stage(DOMAIN)[STAGING] == many
