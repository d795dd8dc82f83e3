"""What refinement puts aside and takes back: by table, and for any playbook at all."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.attic import Attic
from ace.core.refining import AGAIN, Rules, Situation, plan, tokens, within
from ace.models.plan import Archive, Increment, Operation, Quarantine, Relate, Restore
from ace.models.playbook import Bullet, Link, PlaybookStage
from ace.models.refining import Cause, cause_of

SHADOW, STAGING, PROD, QUARANTINED, ARCHIVED = PlaybookStage
NOW = 1000


def bullet(name: str, stage: PlaybookStage = SHADOW, helpful: int = 0, harmful: int = 0, text: str = "x") -> Bullet:
    return Bullet(id=name, domain_id="d", content=text, stage=stage, helpful_count=helpful, harmful_count=harmful)


def archived(planned: list[Operation]) -> dict[str, str | None]:
    return {one.bullet_id: one.superseded_by for one in planned if isinstance(one, Archive)}


PAIRS = [
    pytest.param(bullet("a"), bullet("b", STAGING), "a", id="the-higher-stage-stays"),
    pytest.param(bullet("a", PROD), bullet("b", STAGING, helpful=9), "b", id="whatever-the-trust"),
    pytest.param(bullet("a", helpful=1), bullet("b", helpful=3), "a", id="of-one-stage-the-more-trusted-stays"),
    pytest.param(bullet("a", helpful=3, harmful=2), bullet("b", helpful=1), "a", id="harm-counts"),
    pytest.param(bullet("b"), bullet("a"), "a", id="else-the-older"),
]


@pytest.mark.parametrize(("older", "younger", "weaker"), PAIRS)
def test_of_two_that_say_the_same_the_weaker_goes(older: Bullet, younger: Bullet, weaker: str) -> None:
    stronger = "b" if weaker == "a" else "a"
    planned = plan(Situation(bullets=[older, younger], same={("b", "a"): 0.9}), Rules())
    assert archived(planned) == {weaker: stronger}
    assert [type(one) for one in planned] == [Archive], "counters are not added together"


def test_a_chain_of_likenesses_ends_at_bullets_that_stay() -> None:
    """a ~ b ~ c, and c is not a: b has somebody to stand for it, c has nobody."""
    bullets = [bullet("a", helpful=5), bullet("b", helpful=3), bullet("c", helpful=1)]
    chain = Situation(bullets=bullets, same={("a", "b"): 0.9, ("b", "c"): 0.9})
    assert archived(plan(chain, Rules())) == {"b": "a"}
    ring = replace(chain, same={**chain.same, ("a", "c"): 0.85})
    assert archived(plan(ring, Rules())) == {"b": "a", "c": "a"}


def test_what_contradicts_it_is_linked_to_the_one_that_stays() -> None:
    found = Situation(bullets=[bullet("a", helpful=1), bullet("b"), bullet("c")], same={("a", "b"): 0.9},
                      links=[Link.between("b", "c")])  # fmt: skip
    planned = plan(found, Rules())
    assert planned[0] == Relate(link=Link.between("a", "c"))
    assert archived(planned) == {"b": "a"}


@pytest.mark.parametrize(
    ("links", "gone"),
    [
        pytest.param([("a", "b")], {"c": "a"}, id="known-to-contradict-it"),
        pytest.param([("b", "c")], {"b": "a"}, id="one-that-stands-for-what-contradicts-it"),
    ],
)
def test_no_bullet_is_stood_for_by_its_opposite(links: list[tuple[str, str]], gone: dict[str, str]) -> None:
    bullets = [bullet("a", helpful=3), bullet("b", helpful=2), bullet("c")]
    opposed = [Link.between(*pair) for pair in links]
    found = Situation(bullets=bullets, same={("a", "b"): 0.9, ("a", "c"): 0.9}, links=opposed)
    assert archived(plan(found, Rules())) == gone


def test_what_a_person_took_back_is_not_put_aside_for_saying_the_same_again() -> None:
    found = Situation(bullets=[bullet("a"), bullet("b")], same={("a", "b"): 0.9}, taken_back={"b"})
    assert plan(found, Rules()) == []


@pytest.mark.parametrize(
    ("one", "used", "goes"),
    [
        pytest.param(bullet("a"), 10, True, id="shadow"),
        pytest.param(bullet("a", STAGING), 10, True, id="staging"),
        pytest.param(bullet("a", PROD), 10, False, id="prod-stays"),
        pytest.param(bullet("a"), 11, False, id="used-since"),
    ],
)
def test_what_nobody_uses_goes(one: Bullet, used: int, goes: bool) -> None:
    planned = plan(Situation(bullets=[one], used={"a": used}), Rules(unused=10, unused_days=90))
    assert archived(planned) == ({"a": None} if goes else {})
    assert plan(Situation(bullets=[one], used={"a": used}), Rules()) == [], "0 days: never"


def test_who_stands_for_another_is_used_when_that_was() -> None:
    found = Situation(bullets=[bullet("a")], used={"a": 1, "b": 50}, superseded={"b": "a"})
    assert plan(found, Rules(unused=10)) == []


def test_the_least_valuable_make_room_and_no_more_than_needed() -> None:
    stay, shadow = bullet("a", PROD), bullet("b", helpful=3)
    unknown, old, big = bullet("c"), bullet("d"), bullet("e", STAGING, text="y" * 400)
    found = Situation(bullets=[stay, shadow, unknown, old, big], used={"c": 9, "d": 5})
    assert archived(plan(found, Rules(budget=4 * tokens(stay)))) == {"e": None}, "it fits nowhere, the others do"
    assert archived(plan(found, Rules(budget=2 * tokens(stay)))) == {"c": None, "d": None, "e": None}
    assert archived(plan(found, Rules(budget=3 * tokens(stay)))) == {"d": None, "e": None}, "the longest unused first"


def test_what_was_learned_again_comes_back_if_there_is_room() -> None:
    found = Situation(bullets=[bullet("a", PROD)], again=[bullet("b", ARCHIVED, helpful=1)])
    assert plan(found, Rules()) == [Restore(bullet_id="b", reason=AGAIN)]
    assert plan(found, Rules(budget=tokens(bullet("a")))) == []
    weak = Situation(bullets=[bullet("a")], again=found.again)
    assert plan(weak, Rules(budget=tokens(bullet("a")))) == [
        Archive(bullet_id="a", reason="room: more valuable bullets fill the budget of 2 tokens"),
        Restore(bullet_id="b", reason=AGAIN),
    ]


@pytest.mark.parametrize(
    ("history", "back"),
    [
        pytest.param([("archive", "unused: 90 days")], [], id="nobody-asked"),
        pytest.param([("archive", "unused: 90 days"), ("helpful", "")], ["a"], id="learned-again"),
        pytest.param([("archive", "room: full"), ("helpful", "")], ["a"], id="was-put-aside-for-room"),
        pytest.param([("archive", "not for us"), ("helpful", "")], [], id="by-hand"),
        pytest.param([("helpful", ""), ("archive", "unused: 90 days")], [], id="before-it"),
        pytest.param([("archive", "unused: x"), ("helpful", ""), ("restore", ""), ("archive", "room: x")], [],
                     id="put-aside-again-since"),
        pytest.param([("archive", "unused: x"), ("helpful", ""), ("quarantine", "")], [], id="quarantined"),
    ],
)  # fmt: skip
def test_who_is_wanted_back(history: list[tuple[str, str]], back: list[str]) -> None:
    attic = Attic()
    for kind, reason in history:
        attic.take({
            "archive": Archive(bullet_id="a", reason=reason), "restore": Restore(bullet_id="a", reason=reason),
            "quarantine": Quarantine(bullet_id="a", reason=reason),
            "helpful": Increment(bullet_id="a", episode_id="e", helpful=1),
        }[kind])  # fmt: skip
    assert attic.learned_again() == back


def test_a_vote_on_what_is_stood_for_wants_the_one_that_stands_for_it() -> None:
    attic = Attic()
    attic.take(Archive(bullet_id="a", reason="superseded: b", superseded_by="b"))
    attic.take(Archive(bullet_id="b", reason="superseded: c", superseded_by="c"))
    attic.take(Archive(bullet_id="c", reason="unused: 90 days"))
    attic.take(Increment(bullet_id="a", episode_id="e", helpful=1))
    assert (attic.stood_for(), attic.learned_again()) == ({"a": "c", "b": "c"}, ["c"])
    attic.take(Restore(bullet_id="a", reason="they differ"))
    assert (attic.stood_for(), attic.taken_back) == ({"b": "c"}, {"a"})


def test_the_cause_is_told_from_what_the_journal_keeps() -> None:
    kept = [("unused: x", None), ("room: x", None), ("x", None), ("unused: x", "b")]
    assert [cause_of(*one) for one in kept] == [Cause.UNUSED, Cause.ROOM, Cause.PERSON, Cause.SUPERSEDED]


# any playbook at all

IDS = [f"b{number}" for number in range(8)]


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    def made(name: str, stages: list[PlaybookStage]) -> Bullet:
        count = st.integers(0, 4)
        return bullet(name, draw(st.sampled_from(stages)), draw(count), draw(count), "y" * draw(st.integers(1, 60)))

    size = draw(st.integers(0, len(IDS)))
    pairs = st.lists(st.sampled_from(list(combinations(IDS[:size], 2)) or [("b0", "b1")]), max_size=12, unique=True)
    return Situation(
        bullets=[made(name, [SHADOW, STAGING, PROD]) for name in IDS[:size]],
        again=[made(name, [ARCHIVED]) for name in draw(st.sets(st.sampled_from(["x", "y", "z"])))],
        links=[Link.between(*pair) for pair in draw(pairs)] if size > 1 else [],
        same=dict.fromkeys(draw(pairs), 0.9) if size > 1 else {},
        used={name: draw(st.integers(1, 20)) for name in [*IDS, "x", "y", "z"]},
        superseded=dict.fromkeys(draw(st.sets(st.sampled_from(["u", "v"]))), "b0"),
        taken_back=draw(st.sets(st.sampled_from(IDS), max_size=2)),
    )


RULES = st.builds(Rules, unused=st.none() | st.integers(0, 20), budget=st.none() | st.integers(1, 100))


def after(found: Situation, planned: list[Operation]) -> Situation:
    """The situation that carrying the plan out leads to."""
    gone, moved = archived(planned), {one.bullet_id for one in planned if isinstance(one, Archive | Restore)}
    back = [one.evolve(stage=SHADOW) for one in found.again if one.id in moved]
    return replace(
        found,
        bullets=[*(one for one in found.bullets if one.id not in gone), *back],
        again=[one for one in found.again if one.id not in moved],
        links=[*found.links, *(one.link for one in planned if isinstance(one, Relate))],
        used={**found.used, **dict.fromkeys(moved, NOW)},
        superseded={**found.superseded, **{own: other for own, other in gone.items() if other}},
    )


@given(situations(), RULES)
def test_the_laws(found: Situation, rules: Rules) -> None:
    planned = plan(found, rules)
    gone, later = archived(planned), after(found, planned)
    causes = {one.bullet_id: cause_of(one.reason, one.superseded_by) for one in planned if isinstance(one, Archive)}
    moved = [one.bullet_id for one in planned if isinstance(one, Archive | Restore)]
    assert len(moved) == len(set(moved)), "a bullet moves once"
    links = {(link.left, link.right) for link in later.links}
    for own, other in gone.items():
        if other is None:
            continue
        assert (own, other) in found.same or (other, own) in found.same
        assert own not in found.taken_back
        assert causes.get(other, Cause.ROOM) == Cause.ROOM, "never both of a pair, but for room"
        assert tuple(sorted((own, other))) not in links
        for pair in [pair for pair in links if own in pair]:
            (rival,) = set(pair) - {own}
            assert tuple(sorted((rival, other))) in links, "contradictions are not lost"
    if rules.budget is not None:
        assert sum(tokens(one) for one in later.bullets) <= rules.budget
    assert plan(later, rules) == [], "a second run does nothing"


@given(situations(), RULES)
def test_no_more_is_archived_for_room_than_has_to_be(found: Situation, rules: Rules) -> None:
    planned = plan(found, rules)
    kept = sum(tokens(one) for one in after(found, planned).bullets)
    for one in planned:
        if isinstance(one, Archive) and cause_of(one.reason, one.superseded_by) == Cause.ROOM:
            (gone,) = [each for each in found.bullets if each.id == one.bullet_id]
            assert rules.budget is not None
            assert kept + tokens(gone) > rules.budget


@given(situations(), st.integers(1, 60))
def test_without_a_budget_everything_fits(found: Situation, budget: int) -> None:
    assert within(found.bullets, None, found.used) == found.bullets
    assert sum(tokens(one) for one in within(found.bullets, budget, found.used)) <= budget
