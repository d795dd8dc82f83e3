"""Refinement in a real store: what is put aside, why the journal says so, and that all of it can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from ace.core.ports import Pair, PlaybookStore
from ace.core.refining import AGAIN, tokens
from ace.core.similarity import Relation
from ace.errors import NotFound
from ace.models.observation import Lot, Observation
from ace.models.plan import Add, Archive, Observe, Operation, Promote, Quarantine, Relate, Restore, Rollback
from ace.models.playbook import Link, PlaybookStage
from ace.models.refining import Cause
from ace.services.refining import Refining
from ace.services.stewardship import Stewardship
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.testing.index import ExactIndex
from tests.playbooks import DOMAIN, NOW, assert_sound, bullet, helpful, state_of, write

SHADOW, STAGING, PROD, QUARANTINED, ARCHIVED = PlaybookStage
UNITS, UNITS_TOO = "check the units of every number first", "first check the units of every number"


class SameWords:
    """A second look for which the same words say the same; it counts what it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
        self.asked += len(pairs)
        alike = [sorted(pair.left.split()) == sorted(pair.right.split()) for pair in pairs]
        return [Relation.SAME if one else Relation.DIFFERENT for one in alike]


class World:
    """A store with everything around it that refines."""

    def __init__(self, store: PlaybookStore) -> None:
        self.store, self.clock, self.look, self.embedder = store, FrozenClock(NOW), SameWords(), HashEmbedder()
        self.refining = self.manager()

    def manager(self, **options: Any) -> Refining:
        return Refining(self.store, ExactIndex(self.store), self.look, self.clock, **options)

    def add(self, *texts: str) -> list[str]:
        made = [bullet(text) for text in texts]
        vectors = dict(zip([one.id for one in made], self.embedder.embed(texts), strict=True))
        with self.store.transaction(DOMAIN) as transaction:
            transaction.apply([Add(bullet=one) for one in made], vectors=vectors, now=self.clock.now())
        return [one.id for one in made]

    def write(self, *operations: Operation) -> None:
        write(self.store, *operations, now=self.clock.now())

    def stage(self, own: str) -> PlaybookStage:
        return self.store.get_many(DOMAIN, [own])[0].stage

    def pass_days(self, days: float) -> None:
        self.clock.advance(timedelta(days=days).total_seconds())


@pytest.fixture
def world(store: PlaybookStore) -> World:
    return World(store)


def shown(own: str, episode: str) -> Observe:
    return Observe(observation=Observation(episode_id=episode, lots=(Lot(bullet_id=own, chance=1.0, shown=True),)))


def test_a_near_duplicate_goes_and_the_journal_says_for_whom(world: World) -> None:
    first, second, other = world.add(UNITS, UNITS_TOO, "never divide by zero")
    world.write(helpful(second, "e1"), Relate(link=Link.between(first, other)))
    said = world.refining.due(DOMAIN)
    assert world.stage(first) == SHADOW, "a dry run changes nothing"
    done = world.refining.refine(DOMAIN)
    assert done.operations == said.operations
    assert [world.stage(own) for own in (first, second, other)] == [ARCHIVED, SHADOW, SHADOW]
    last = world.store.entries(DOMAIN)[-1]
    assert (last.kind, last.body["superseded_by"]) == ("archive", second)
    assert Link.between(second, other) in world.store.links(DOMAIN)
    assert {one.id: one.helpful_count for one in world.store.get_all(DOMAIN)} == {first: 0, second: 1, other: 0}
    assert world.refining.refine(DOMAIN).operations == ()
    assert_sound(world.store)


def test_who_stands_for_a_bullet_is_told_to_the_end_of_the_chain(world: World) -> None:
    names = world.add(UNITS, UNITS_TOO)
    world.refining.refine(DOMAIN)
    names += world.add("of every number first check the units")
    world.write(helpful(names[2], "e1"))
    world.refining.refine(DOMAIN)
    steward = Stewardship(world.store, world.clock)
    assert [steward.superseded_by(one) for one in world.store.get_many(DOMAIN, names)] == [names[2], names[2], None]
    world.write(Rollback(to=world.store.head(DOMAIN).seq - 3, reason="undo the second"))
    assert [steward.superseded_by(one) for one in world.store.get_many(DOMAIN, names)] == [None, names[0]]


def test_only_what_is_new_is_compared_and_a_fresh_process_compares_all(world: World) -> None:
    world.add(UNITS, UNITS_TOO)
    assert (world.refining.refine(DOMAIN).judged, world.refining.refine(DOMAIN).judged) == (1, 0)
    world.add("of every number first check the units")
    assert world.refining.refine(DOMAIN).judged == 1
    assert len(world.store.get_all(DOMAIN, stage=SHADOW)) == 1
    world.add("units the check first of every number")
    assert world.manager().refine(DOMAIN).judged == 1


def test_a_crowd_that_says_the_same_ends_as_one(world: World) -> None:
    words = UNITS.split()
    world.add(*(" ".join(words[at:] + words[:at]) for at in range(len(words))))
    world.refining.refine(DOMAIN)
    assert len(world.store.get_all(DOMAIN, stage=SHADOW)) == 1


def test_a_look_that_is_broken_off_goes_on_where_it_stopped(world: World) -> None:
    world.add(UNITS, UNITS_TOO)
    broken_off = world.refining.refine(DOMAIN, lambda: False)
    assert (broken_off.operations, broken_off.complete) == ((), False)
    assert world.look.asked == 0
    assert len(world.refining.refine(DOMAIN).archived) == 1


def test_what_a_person_took_back_stays(world: World) -> None:
    first, second = world.add(UNITS, UNITS_TOO)
    world.refining.refine(DOMAIN)
    world.write(Restore(bullet_id=second, reason="they differ"))
    assert world.refining.refine(DOMAIN).operations == ()
    assert world.manager().refine(DOMAIN).operations == (), "in any process"
    assert world.stage(first) == world.stage(second) == SHADOW


def test_what_nobody_uses_goes_and_comes_back_when_it_is_learned_again(world: World) -> None:
    used, unused, proven = world.add("check the units", "draw a picture", "read it twice")
    world.write(Promote(bullet_id=proven, to=STAGING, reason="r"), Promote(bullet_id=proven, to=PROD, reason="r"))
    manager = world.manager(unused_days=90)
    world.pass_days(60)
    world.write(shown(used, "e1"))
    assert manager.refine(DOMAIN).operations == ()
    world.pass_days(31)
    assert [one.bullet_id for one in manager.refine(DOMAIN).archived] == [unused]
    assert manager.refine(DOMAIN).operations == ()
    world.write(helpful(unused, "e2"))
    assert manager.refine(DOMAIN).operations == (Restore(bullet_id=unused, reason=AGAIN),)
    assert world.stage(unused) == SHADOW
    assert manager.refine(DOMAIN).operations == (), "it has 90 days again"
    assert_sound(world.store)


def test_a_budget_is_kept_and_the_least_valuable_go(world: World) -> None:
    names = world.add(*(f"advice number {number} about something" for number in range(10)))
    world.write(*(helpful(own, f"e{own}") for own in names[5:]))
    each = max(tokens(one) for one in world.store.get_all(DOMAIN))
    manager = world.manager(budget=6 * each)
    done = manager.refine(DOMAIN)
    assert done.counts()[Cause.ROOM] == len(done.archived) == 4
    assert {one.bullet_id for one in done.archived} <= set(names[:5])
    assert manager.refine(DOMAIN).operations == ()
    assert world.manager(budget=100 * each).refine(DOMAIN).operations == (), "nobody asked for them since"


def test_by_hand_is_by_hand(world: World) -> None:
    (own,) = world.add("check the units")
    world.write(Archive(bullet_id=own, reason="not for us"), helpful(own, "e1"))
    assert world.refining.refine(DOMAIN).operations == ()


def test_a_rollback_brings_everything_back(world: World) -> None:
    world.add(UNITS, UNITS_TOO, "draw a picture", "read it twice")
    before, position = state_of(world.store), world.store.head(DOMAIN).seq
    world.pass_days(100)
    assert len(world.manager(unused_days=90, budget=10).refine(DOMAIN).archived) == 4
    world.write(Rollback(to=position, reason="too much"))
    assert state_of(world.store) == before
    assert_sound(world.store)


class Overtaken:
    """A store in which somebody else writes just before each transaction."""

    def __init__(self, store: PlaybookStore, *writes: Operation) -> None:
        self._store, self._writes = store, list(writes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def transaction(self, domain_id: str) -> Any:
        while self._writes:
            write(self._store, self._writes.pop())
        return self._store.transaction(domain_id)


def test_what_others_do_between_plan_and_lock_is_heeded(world: World) -> None:
    first, second = world.add(UNITS, UNITS_TOO)
    overtaken: Any = Overtaken(world.store, Quarantine(bullet_id=first, reason="harmful"))
    refining = Refining(overtaken, ExactIndex(world.store), world.look, world.clock)
    assert [one.bullet_id for one in refining.due(DOMAIN).archived] == [second]
    assert refining.refine(DOMAIN).operations == ()
    assert (world.stage(first), world.stage(second)) == (QUARANTINED, SHADOW)


def test_a_long_plan_is_carried_out_in_parts(world: World) -> None:
    names = world.add(UNITS, UNITS_TOO, *(f"advice {number}" for number in range(5)))
    manager = world.manager(budget=1, chunk=2)
    said = manager.due(DOMAIN)
    assert manager.refine(DOMAIN).operations == said.operations
    assert len(said.archived) == len(names)
    assert_sound(world.store)


def test_an_unknown_domain_is_said_to_be(world: World) -> None:
    with pytest.raises(NotFound):
        world.refining.refine("nobody")
