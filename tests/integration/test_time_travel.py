"""The playbook at any position; the way back; releases; purges: on each store there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ace.core import replay
from ace.core.differences import difference
from ace.core.ports import EpisodeQueue, PlaybookStore, ReleaseStore, ReviewQueue
from ace.errors import Conflict, InvalidInput, NotFound
from ace.models.insight import Insight
from ace.models.plan import Add, Increment, Operation, Promote, Quarantine, Relate, Restore
from ace.models.playbook import Link, PlaybookStage, SourceClass
from ace.models.purge import Suspect
from ace.models.review import ReviewItem, ReviewState
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.release_repository import ReleaseRepository
from ace.repositories.review_repository import ReviewRepository
from ace.repositories.statements import statement
from ace.services.past_states import PastStates
from ace.services.purge import Purge
from ace.services.releases import Releases
from ace.services.rollback import Rollbacks, RolledBack
from ace.services.time_travel import TimeTravel
from ace.testing.clock import FrozenClock
from ace.testing.episodes import InMemoryEpisodes
from ace.testing.playbook import InMemoryPlaybook
from ace.testing.releases import InMemoryReleases
from ace.testing.reviews import InMemoryReviews
from tests.episodes import episode
from tests.playbooks import DOMAIN, NOW, add, assert_sound, bullet, helpful, histories_of, state_of, vector, write

SHADOW, STAGING, PROD, QUARANTINED, ARCHIVED = PlaybookStage


@dataclass
class Scene:
    """All services of history over one store."""

    store: PlaybookStore
    names: ReleaseStore
    episodes: EpisodeQueue
    reviews: ReviewQueue
    clock: FrozenClock

    def __post_init__(self) -> None:
        self.releases = Releases(self.store, self.names, self.clock)
        self.travel = TimeTravel(self.store, self.releases)
        self.rollbacks = Rollbacks(self.store, self.travel, self.clock)
        self.purge = Purge(self.store, self.episodes, self.reviews, self.clock)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    if request.param == "memory":
        playbook = InMemoryPlaybook()
        yield Scene(
            playbook, InMemoryReleases(), InMemoryEpisodes(playbook), InMemoryReviews(playbook), FrozenClock(NOW)
        )
        return
    opened = Database(request.getfixturevalue(f"{request.param}_url"))
    yield Scene(
        PlaybookRepository(opened),
        ReleaseRepository(opened),
        EpisodeRepository(opened),
        ReviewRepository(opened),
        FrozenClock(NOW),
    )
    opened.close()


def week(scene: Scene) -> tuple[str, str]:
    """Seven entries, a day each: two bullets, votes, a promotion, a quarantine."""
    one, two = bullet("always round up"), bullet("never round up")
    steps: list[Operation] = [
        Add(bullet=one),
        Add(bullet=two),
        Relate(link=Link.between(one.id, two.id)),
        helpful(one.id, "e1"),
        Increment(bullet_id=one.id, episode_id="e2", harmful=1),
        Promote(bullet_id=one.id, to=STAGING, reason="r"),
        Quarantine(bullet_id=two.id, reason="r"),
    ]
    for day, step in enumerate(steps):
        write(scene.store, step, now=NOW + timedelta(days=day))
    return one.id, two.id


WHEN: list[Any] = [
    pytest.param("0", 0, id="the-beginning"),
    pytest.param("3", 3, id="a-position"),
    pytest.param("head", 7, id="the-head"),
    pytest.param("2026-03-03T09:30:00.123456Z", 3, id="the-very-time"),
    pytest.param("2026-03-03T09:30:00.123455Z", 2, id="a-microsecond-before"),
    pytest.param("2026-03-03T10:30:00.123456+01:00", 3, id="in-another-zone"),
    pytest.param("2020-01-01T00:00Z", 0, id="before-all"),
    pytest.param("2030-01-01T00:00Z", 7, id="after-all"),
    pytest.param("release:v1", 7, id="a-release"),
]


@pytest.mark.parametrize(("when", "position"), WHEN)
def test_a_position_has_many_names(scene: Scene, when: str, position: int) -> None:
    week(scene)
    scene.releases.create(DOMAIN, "v1")
    past = scene.travel.as_of(DOMAIN, when)
    assert past.position == position
    assert past.state == replay.replay(scene.store.entries(DOMAIN)[:position])


NOWHERE: list[Any] = [
    pytest.param("8", InvalidInput, "Give 0 to 7", id="the-future"),
    pytest.param("-1", InvalidInput, "names no position", id="negative"),
    pytest.param("9" * 30, InvalidInput, "no position", id="endless"),
    pytest.param("yesterday", InvalidInput, "names no position", id="a-word"),
    pytest.param("2026-03-03T09:30", InvalidInput, "zone", id="a-time-of-no-zone"),
    pytest.param("release:none", NotFound, "ace release list", id="no-such-release"),
    pytest.param("release:", NotFound, "ace release list", id="a-release-without-a-name"),
]


@pytest.mark.parametrize(("when", "error", "says"), NOWHERE)
def test_what_is_no_position_is_refused_with_a_remedy(
    scene: Scene, when: str, error: type[Exception], says: str
) -> None:
    week(scene)
    with pytest.raises(error, match=says):
        scene.travel.as_of(DOMAIN, when)
    with pytest.raises(NotFound):
        scene.travel.as_of("nobody", "head")


def test_a_difference_tells_what_happened_and_backwards_what_a_rollback_would_do(scene: Scene) -> None:
    one, two = week(scene)
    there = scene.travel.difference(DOMAIN, "1", "head")
    assert there.counts() == {"added": 1, "removed": 0, "promoted": 1, "quarantined": 0, "archived": 0, "restored": 0,
                              "lowered": 0, "counters": 1, "linked": 1, "unlinked": 0}  # fmt: skip
    assert [(change.helpful, change.harmful) for change in there.counters] == [(1, 1)]
    back = scene.travel.difference(DOMAIN, "head", "2")
    assert [change.before.id for change in back.restored] == [two]
    assert [change.stages for change in back.lowered] == [(STAGING, SHADOW)]
    assert back.to_json()["counters"] == [{"id": one, "helpful": -1, "harmful": -1}]
    assert [bullet.id for bullet in scene.travel.difference(DOMAIN, "head", "0").removed] == [one, two]
    assert not any(scene.travel.difference(DOMAIN, "4", "4").counts().values())


@given(histories_of(DOMAIN), st.data())
def test_a_difference_is_empty_only_between_equals_and_its_counts_mirror(history: list[Operation], data: Any) -> None:
    first, second = (data.draw(st.integers(0, len(history))) for _ in range(2))
    before, after = replay.fold(history[:first]), replay.fold(history[:second])
    there = difference(before, after, start=first, end=second)
    back = difference(after, before, start=second, end=first)
    same = before.bullets == after.bullets and before.links == after.links
    assert (not any(there.counts().values())) == same
    assert [len(there.added), len(there.linked), len(there.counters)] == [
        len(back.removed), len(back.unlinked), len(back.counters)]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories_of(DOMAIN), st.lists(st.integers(0, 40), max_size=12), st.integers(1, 9), st.integers(1, 4))
def test_whatever_was_looked_at_before_a_state_is_the_sum_of_its_journal(
    history: list[Operation], looks: list[int], stride: int, kept: int
) -> None:
    """Rollbacks among it or not; a look is the same whether it is carried on from another or not."""
    store = InMemoryPlaybook()
    states = PastStates(store, stride, kept)
    for written, operation in enumerate(history, start=1):
        write(store, operation)
        for position in (look for look in looks if look <= written):
            assert states.at(DOMAIN, position) == replay.replay(store.entries(DOMAIN, limit=position))
    if history:
        now, then = states.now(DOMAIN), replay.replay(store.entries(DOMAIN))
        assert (now.bullets, now.links) == (then.bullets, then.links)


def test_a_journal_that_was_put_back_is_read_anew() -> None:
    """A restored backup may hold another past."""
    first, second = InMemoryPlaybook(), InMemoryPlaybook()
    write(first, Add(bullet=bullet("always round up")))
    write(second, Add(bullet=bullet("never round up")))
    states = PastStates(first)
    states.at(DOMAIN, 1), states.now(DOMAIN)
    states._store = second
    assert [one.content for one in states.at(DOMAIN, 1).bullets.values()] == ["never round up"]
    assert [one.content for one in states.now(DOMAIN).bullets.values()] == ["never round up"]


def test_a_release_names_the_head_once(scene: Scene) -> None:
    with pytest.raises(NotFound):
        scene.releases.create(DOMAIN, "v1")
    week(scene)
    made = scene.releases.create(DOMAIN, "v1", "measured")
    scene.clock.advance(60)
    assert scene.releases.create(DOMAIN, "v1", "measured") == made, "again, nothing happens"
    add(scene.store, "more")
    with pytest.raises(Conflict, match="position 7, the head is 8"):
        scene.releases.create(DOMAIN, "v1")
    later = scene.releases.create(DOMAIN, "v2")
    assert scene.releases.list(DOMAIN) == [made, later]
    assert scene.releases.list("other") == []
    for name in ("", "a b", "../x", "x" * 101, "é"):
        with pytest.raises(InvalidInput, match="name"):
            scene.releases.create(DOMAIN, name)


def test_a_rollback_is_shown_first_then_done_once_per_key(scene: Scene) -> None:
    week(scene)
    before = state_of(scene.store)
    shown = scene.rollbacks.preview(DOMAIN, "2")
    assert state_of(scene.store) == before
    done = scene.rollbacks.roll_back(DOMAIN, "2", "it was bad", key="k")
    assert scene.rollbacks.roll_back(DOMAIN, "2", "it was bad", key="k") == done == RolledBack(to=2, position=8)
    assert scene.rollbacks.difference(DOMAIN, done) == shown
    with pytest.raises(Conflict):
        scene.rollbacks.roll_back(DOMAIN, "3", "it was bad", key="k")
    with pytest.raises(InvalidInput, match="reason"):
        scene.rollbacks.roll_back(DOMAIN, "2", " ")
    last = assert_sound(scene.store)[-1]
    assert (last.kind, last.body) == ("rollback", {"to": 2, "reason": "it was bad"})


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories_of(DOMAIN), data=st.data())
def test_after_a_rollback_the_state_is_that_of_then_and_a_rollback_can_be_rolled_back(
    scene: Scene, history: list[Operation], data: Any
) -> None:
    domain = f"d{data.draw(st.integers(0, 2**40))}"
    if scene.store.head(domain).seq or not history:
        return
    moved = [_into(domain, operation) for operation in history]
    write(scene.store, *moved, domain=domain)
    to = data.draw(st.integers(0, len(history)))
    before = state_of(scene.store, domain)
    done = scene.rollbacks.roll_back(domain, str(to), "r")
    assert state_of(scene.store, domain) == scene.travel.state(domain, to)
    scene.rollbacks.roll_back(domain, str(done.position - 1), "r")
    assert state_of(scene.store, domain) == before
    assert_sound(scene.store, domain)


def _into(domain: str, operation: Operation) -> Operation:
    return Add(bullet=operation.bullet.evolve(domain_id=domain)) if isinstance(operation, Add) else operation


COLUMNS = (
    "SELECT * FROM playbook_bullets ORDER BY domain_id, id",
    "SELECT * FROM bullet_votes ORDER BY episode_id, bullet_id",
    "SELECT * FROM bullet_links ORDER BY left_id, right_id",
    "SELECT * FROM bullet_vectors ORDER BY bullet_id",
)


def test_every_column_is_as_it_was(database: Database) -> None:
    store = PlaybookRepository(database)
    scene = Scene(store, ReleaseRepository(database), EpisodeRepository(database), ReviewRepository(database),
                  FrozenClock(NOW))  # fmt: skip
    one, two = week(scene)
    then = [database.rows(statement(text)) for text in COLUMNS]
    write(store, helpful(one, "e9"), Promote(bullet_id=one, to=PROD, reason="r"), Restore(bullet_id=two, reason="r"),
          Relate(link=Link.between(two, one)))  # fmt: skip
    changed = [database.rows(statement(text)) for text in COLUMNS]
    assert changed[:2] != then[:2]
    done = scene.rollbacks.roll_back(DOMAIN, "7", "r")
    assert [database.rows(statement(text)) for text in COLUMNS] == then
    scene.rollbacks.roll_back(DOMAIN, str(done.position - 1), "r")
    assert [database.rows(statement(text)) for text in COLUMNS] == changed


def born(scene: Scene, text: str, **origin: Any) -> str:
    made = bullet(text, **origin)
    write(scene.store, Add(bullet=made))
    return made.id


def family(scene: Scene) -> dict[str, str]:
    """Bullets of several origins; `child` was learned from an episode that cited `sent`, `grandchild` through it."""
    ids = {"sent": born(scene, "sent by mallory", episode_id="http/mallory/1", model="m1")}
    ids["imported"] = born(scene, "imported", source=SourceClass.IMPORT)
    ids["reported"] = born(scene, "reported by mallory", episode_id="e-mallory", model="m2")
    scene.episodes.report(_by("mallory", episode("e-mallory")))
    scene.episodes.report(_by("alice", episode("e-alice", shown=[ids["sent"]], cited=[ids["sent"]])))
    ids["child"] = born(scene, "learned by alice from it", episode_id="e-alice", model="m2")
    scene.episodes.report(_by("bob", episode("e-bob", cited=[ids["child"]])))
    ids["grandchild"] = born(scene, "learned by bob from that", episode_id="e-bob")
    scene.episodes.report(_by("carol", episode("e-carol", shown=[ids["sent"]], cited=[])))
    ids["stranger"] = born(scene, "shown it, learned something else", episode_id="e-carol", source=SourceClass.HUMAN)
    return ids


def _by(principal: str, reported: Any) -> Any:
    from dataclasses import replace

    return replace(reported, principal=principal)


PURGES: list[Any] = [
    pytest.param(Suspect(episode="e-alice"), ["child", "grandchild"], 1, id="an-episode-and-what-followed"),
    pytest.param(Suspect(episode="e-carol"), ["stranger"], 1, id="an-episode"),
    pytest.param(Suspect(principal="mallory"), ["sent", "reported", "child", "grandchild"], 1, id="a-key"),
    pytest.param(Suspect(model="m2"), ["reported", "child", "grandchild"], 0, id="a-model"),
    pytest.param(Suspect(source=SourceClass.IMPORT), ["imported"], 0, id="an-import"),
    pytest.param(Suspect(principal="nobody"), [], 0, id="nobody"),
]


@pytest.mark.parametrize(("suspect", "expected", "waiting"), PURGES)
def test_a_purge_takes_out_what_came_from_there_and_nothing_else(
    scene: Scene, suspect: Suspect, expected: list[str], waiting: int
) -> None:
    ids = family(scene)
    shown = scene.purge.preview(DOMAIN, suspect)
    assert scene.store.count_by_stage(DOMAIN)[QUARANTINED] == 0
    done = scene.purge.purge(DOMAIN, suspect, "poisoned")
    assert [one.bullet.id for one in done.tainted] == [one.bullet.id for one in shown.tainted]
    assert {one.id for one in scene.store.get_all(DOMAIN, stage=QUARANTINED)} == {ids[name] for name in expected}
    assert done.waiting == waiting
    again = scene.purge.purge(DOMAIN, suspect, "poisoned")
    assert (again.tainted, again.already, again.position) == ((), len(expected), done.position)
    entries = assert_sound(scene.store)[len(ids) :]
    assert all(entry.kind == "quarantine" and "poisoned (purged: born of" in entry.body["reason"] for entry in entries)
    scene.rollbacks.roll_back(DOMAIN, str(len(ids)), "it was not")
    assert scene.store.count_by_stage(DOMAIN)[QUARANTINED] == 0


def test_what_waits_for_a_person_from_there_is_turned_down_with_it(scene: Scene) -> None:
    add(scene.store, "a")
    theirs, ours = (
        ReviewItem(id=f"strategy-{own}", domain_id=DOMAIN, insight=Insight(content=own), reasons=("confidence: 0",),
                   episode_id=f"http/{own}", principal=own)
        for own in ("mallory", "alice")
    )  # fmt: skip
    with scene.store.transaction(DOMAIN) as transaction:
        transaction.hold([theirs, ours], vectors={one.id: vector(one.id) for one in (theirs, ours)})
    suspect = Suspect(principal="mallory")
    assert scene.purge.preview(DOMAIN, suspect).reviews == (theirs.id,)
    assert scene.purge.purge(DOMAIN, suspect, "poisoned").reviews == (theirs.id,)
    found = {item.id: (item.state, item.decision) for item in scene.reviews.list(DOMAIN)}
    assert found[theirs.id] == (ReviewState.REJECTED, "poisoned (purged: from principal mallory)")
    assert found[ours.id] == (ReviewState.WAITING, None)
    assert scene.purge.purge(DOMAIN, suspect, "poisoned").reviews == ()


@pytest.mark.parametrize("suspect", [Suspect(), Suspect(model="m", episode="e")])
def test_a_purge_names_one_origin_and_a_reason(scene: Scene, suspect: Suspect) -> None:
    add(scene.store, "a")
    with pytest.raises(InvalidInput, match="Give one of"):
        scene.purge.preview(DOMAIN, suspect)
    with pytest.raises(InvalidInput, match="reason"):
        scene.purge.purge(DOMAIN, Suspect(model="m"), "")
    with pytest.raises(NotFound):
        scene.purge.preview("nobody", Suspect(model="m"))
