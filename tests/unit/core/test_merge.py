"""The laws of merging, stated once and tried on whatever hypothesis can think of."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ace.core.merge import Neighbour, Neighbours, insight_id, plan_merge
from ace.core.replay import State, apply
from ace.core.similarity import Relation
from ace.models.insight import Delta, Insight, Tag, Vote
from ace.models.plan import Add, Increment, MergePlan, Outcome, Relate
from ace.models.playbook import Link, PlaybookStage

DOMAIN = "customer-a"
GROUPS = "abcdefgh"
# A world of advice small enough that everything meets: "a0" and "a1" say the same, "a!" the opposite of both.
TEXTS = [group + variant for group in GROUPS for variant in "01!"]


def relation(left: str, right: str) -> Relation:
    if left[0] != right[0]:
        return Relation.DIFFERENT
    return Relation.CONTRADICTS if "!" in {left[1], right[1]} else Relation.SAME


def neighbours(world: Sequence[str]) -> Neighbours:
    ids = {text: insight_id(DOMAIN, Insight(content=text)) for text in world}
    return {
        ids[one]: [
            Neighbour(bullet_id=ids[other], cosine=0.9, relation=relation(one, other))
            for other in world
            if other != one and relation(one, other) != Relation.DIFFERENT
        ]
        for one in world
    }


NEAR = neighbours(TEXTS)
insights = st.builds(Insight, content=st.sampled_from(TEXTS), tag=st.sampled_from(Tag))
votes = st.builds(
    Vote,
    bullet_id=st.sampled_from([insight_id(DOMAIN, Insight(content=text)) for text in TEXTS]),
    tag=st.sampled_from(Tag),
)
deltas = st.lists(
    st.builds(
        Delta,
        episode_id=st.sampled_from(["e1", "e2", "e3", "e4"]),
        insights=st.lists(insights, max_size=4).map(tuple),
        votes=st.lists(votes, max_size=3).map(tuple),
    ),
    max_size=8,
)


def merge(state: State, batch: Sequence[Delta]) -> tuple[State, MergePlan]:
    plan = plan_merge(DOMAIN, batch, neighbours=NEAR, present=state.bullets, voted=state.votes)
    for operation in plan.operations:
        state = apply(state, operation)
    return state, plan


@given(deltas)
def test_every_plan_can_be_carried_out_and_each_insight_has_one_outcome(batch: list[Delta]) -> None:
    state, plan = merge(State(), batch)
    assert len(plan.outcomes) == sum(len(delta.insights) for delta in batch)
    assert all(outcome.bullet_id in state.bullets for outcome in plan.outcomes)


@given(deltas, st.data())
def test_merging_in_chunks_equals_merging_at_once(batch: list[Delta], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(batch)))
    whole, _ = merge(State(), batch)
    half, _ = merge(State(), batch[:cut])
    chunked, _ = merge(half, batch[cut:])
    assert chunked == whole


@given(deltas)
def test_merging_the_same_again_adds_nothing_and_counts_nothing(batch: list[Delta]) -> None:
    once, _ = merge(State(), batch)
    ids = set(once.bullets)
    again, _ = merge(once, batch)
    twice, _ = merge(again, batch)
    assert set(again.bullets) == ids
    assert twice == again  # a vote on a bullet not yet born counts the second time, and never a third


@given(deltas, st.randoms(use_true_random=False))
def test_the_order_of_unrelated_insights_does_not_matter(batch: list[Delta], random: object) -> None:
    first_of_group = {text[0]: Insight(content=text) for text in TEXTS if text[1] == "0"}
    unrelated = [Delta(episode_id=f"e-{name}", insights=(insight,)) for name, insight in first_of_group.items()]
    start, _ = merge(State(), [delta for delta in batch if not delta.votes])
    forward, _ = merge(start, unrelated)
    random.shuffle(unrelated)  # type: ignore[attr-defined]
    assert merge(start, unrelated)[0] == forward


@given(deltas, deltas)
def test_content_never_changes_and_counters_never_fall(first: list[Delta], second: list[Delta]) -> None:
    before, _ = merge(State(), first)
    after, _ = merge(before, second)
    for bullet in before.bullets.values():
        later = after.bullets[bullet.id]
        assert (later.content, later.section, later.origin) == (bullet.content, bullet.section, bullet.origin)
        assert later.helpful_count >= bullet.helpful_count
        assert later.harmful_count >= bullet.harmful_count


@given(deltas)
def test_an_episode_votes_once_on_a_bullet_and_never_on_its_own(batch: list[Delta]) -> None:
    state, plan = merge(State(), batch)
    cast = [(op.bullet_id, op.episode_id) for op in plan.operations if isinstance(op, Increment)]
    assert len(cast) == len(set(cast))
    assert all(state.bullets[bullet].origin.episode_id != episode for bullet, episode in cast)


@given(deltas)
def test_opposites_are_kept_apart_and_linked(batch: list[Delta]) -> None:
    state, _ = merge(State(), batch)
    by_id = {bullet.id: bullet.content for bullet in state.bullets.values()}
    contradicting = {
        Link.between(one, other)
        for one, left in by_id.items()
        for other, right in by_id.items()
        if relation(left, right) == Relation.CONTRADICTS and left != right and ("!" in left) != ("!" in right)
    }
    assert state.links == contradicting


@given(deltas)
def test_merging_promotes_nobody(batch: list[Delta]) -> None:
    state, _ = merge(State(), batch)
    assert {bullet.stage for bullet in state.bullets.values()} <= {PlaybookStage.SHADOW}


def test_an_insight_alone_is_added_in_shadow_with_its_origin() -> None:
    delta = Delta(episode_id="e1", task_id="t1", model="m", insights=(Insight(content="a0", confidence=0.7),))
    (operation,) = plan_merge(DOMAIN, [delta], neighbours={}, present={}, voted=()).operations
    assert isinstance(operation, Add)
    assert (operation.bullet.origin.task_id, operation.bullet.origin.confidence) == ("t1", 0.7)


def test_a_near_duplicate_raises_the_counter_of_the_nearest_bullet() -> None:
    plan = merge(merge(State(), [_delta("e1", "a0")])[0], [_delta("e2", "a1")])[1]
    (operation,) = plan.operations
    assert isinstance(operation, Increment)
    assert (operation.helpful, plan.outcomes[0].outcome) == (1, Outcome.MERGED)


def test_a_contradiction_is_added_and_linked() -> None:
    plan = merge(merge(State(), [_delta("e1", "a0")])[0], [_delta("e2", "a!")])[1]
    assert [type(operation) for operation in plan.operations] == [Add, Relate]
    assert plan.outcomes[0].outcome == Outcome.LINKED


def _delta(episode: str, *texts: str) -> Delta:
    return Delta(episode_id=episode, insights=tuple(Insight(content=text) for text in texts))
