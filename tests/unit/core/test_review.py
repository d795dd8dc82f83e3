"""Which insights wait, what a merge does with them, and whose word counts how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.merge import Neighbour, insight_id, plan_merge
from ace.core.replay import State, apply
from ace.core.review import Known, Policy, contradicted, decided, is_only_unsure, needs_review
from ace.core.similarity import Relation
from ace.errors import Conflict
from ace.models.insight import Delta, Insight, Tag, Vote
from ace.models.plan import Increment, MergePlan, Outcome
from ace.models.playbook import Bullet, PlaybookStage, SourceClass
from ace.models.review import ReviewItem, ReviewMode, ReviewState
from tests.unit.core.test_merge import DOMAIN, NEAR, TEXTS

FULL = Policy(mode=ReviewMode.FULL)


@pytest.mark.parametrize(
    ("insight", "screened", "contradicts", "reasons"),
    [
        pytest.param(Insight(content="a"), (), (), (), id="nothing"),
        pytest.param(Insight(content="a", confidence=0.6), (), (), (), id="sure-enough"),
        pytest.param(
            Insight(content="a", confidence=0.59), (), (), ("confidence: 0.59 is below 0.60",), id="not-sure-enough"
        ),
        pytest.param(
            Insight(content="a", confidence=0.1, source=SourceClass.TEMPLATE), (), (), (), id="a-template-is-sure"
        ),
        pytest.param(
            Insight(content="a", source=SourceClass.TEMPLATE), ("x",), (), ("screen: x",), id="a-template-is-screened"
        ),
        pytest.param(
            Insight(content="a"), (), ("b1", "b2"), ("contradicts: b1", "contradicts: b2"), id="contradiction"
        ),
    ],
)
def test_reasons(insight: Insight, screened: Sequence[str], contradicts: Sequence[str], reasons: Sequence[str]) -> None:
    assert needs_review(insight, screened=screened, contradicts=contradicts) == tuple(reasons)


@pytest.mark.parametrize(
    ("mode", "waits"),
    [(ReviewMode.OFF, (0, 0, 0)), (ReviewMode.SCREENS, (1, 0, 0)), (ReviewMode.FULL, (1, 1, 1))],
)
def test_modes(mode: ReviewMode, waits: tuple[int, int, int]) -> None:
    policy = Policy(mode=mode)
    found = (
        policy.reasons(Insight(content="see http://evil.example/"), ()),
        policy.reasons(Insight(content="a", confidence=0.2), ()),
        policy.reasons(Insight(content="a"), ("b1",)),
    )
    assert tuple(len(one) for one in found) == waits


def test_zero_turns_the_confidence_rule_off() -> None:
    assert Policy(mode=ReviewMode.FULL, confidence_min=0).reasons(Insight(content="a", confidence=0.0), ()) == ()


class World:
    """A playbook with its queue, as a store would keep them."""

    def __init__(self, policy: Policy = FULL) -> None:
        self.state, self.items, self.policy = State(), dict[str, ReviewItem](), policy
        self.principal_of: dict[tuple[str, str], tuple[str, str]] = {}  # (bullet, episode) -> (bullet, principal)

    def merge(self, *deltas: Delta) -> MergePlan:
        cast = [self.principal_of[vote] for vote in self.state.votes if vote in self.principal_of]
        votes = {key: cast.count(key) for key in cast}
        plan = plan_merge(DOMAIN, deltas, neighbours=NEAR, present=self.state.bullets, voted=self.state.votes,
                          policy=self.policy, known=Known(items=self.items, votes=votes))  # fmt: skip
        for operation in plan.operations:
            self.state = apply(self.state, operation)
            if isinstance(operation, Increment) and operation.principal:
                key = (operation.bullet_id, operation.principal)
                self.principal_of[operation.bullet_id, operation.episode_id] = key
        self.items |= {item.id: item for item in plan.held}
        return plan

    def decide(self, text: str, state: ReviewState, bullet_id: str | None = None) -> None:
        own = insight_id(DOMAIN, Insight(content=text))
        self.items[own] = decided(self.items[own], state, by="p", at=1.0, bullet_id=bullet_id)


def said(episode: str, text: str, confidence: float = 1.0, **more: object) -> Delta:
    return Delta(episode_id=episode, insights=(Insight(content=text, confidence=confidence),), **more)  # type: ignore[arg-type]


def outcome(plan: MergePlan) -> Outcome:
    return plan.outcomes[-1].outcome


insights = st.builds(
    Insight, content=st.sampled_from(TEXTS), tag=st.sampled_from(Tag), confidence=st.sampled_from([0.2, 0.9])
)
deltas = st.lists(
    st.builds(
        Delta,
        episode_id=st.sampled_from(["e1", "e2", "e3", "e4"]),
        insights=st.lists(insights, max_size=4).map(tuple),
        principal=st.sampled_from([None, "p1", "p2"]),
    ),
    max_size=8,
)


@given(deltas, st.data())
def test_holding_in_chunks_equals_holding_at_once(batch: list[Delta], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(batch)))
    policy = replace(FULL, votes_per_principal=2)
    whole, chunked = World(policy), World(policy)
    whole.merge(*batch)
    chunked.merge(*batch[:cut])
    chunked.merge(*batch[cut:])
    assert (chunked.state, chunked.items) == (whole.state, whole.items)


@given(deltas)
def test_with_full_review_no_contradiction_enters_and_the_same_text_waits_once(batch: list[Delta]) -> None:
    world = World()
    world.merge(*batch)
    assert world.state.links == frozenset()
    assert not world.merge(*batch).held
    assert len({item.insight.content for item in world.items.values()}) == len(world.items)


@given(deltas)
def test_without_review_nothing_waits(batch: list[Delta]) -> None:
    assert not World(Policy()).merge(*batch).held


@given(deltas)
def test_no_principal_counts_more_often_on_a_bullet_than_allowed(batch: list[Delta]) -> None:
    world = World(replace(FULL, votes_per_principal=1))
    world.merge(*batch)
    world.merge(*batch)
    cast = list(world.principal_of.values())
    assert len(cast) == len(set(cast))


def test_a_contradiction_waits_with_what_it_contradicts() -> None:
    world = World()
    (added,) = world.merge(said("e1", "a0")).outcomes
    held = world.merge(said("e2", "a!")).outcomes[0]
    assert (held.outcome, held.contradicts) == (Outcome.HELD, (added.bullet_id,))
    assert contradicted(world.items[held.bullet_id]) == (added.bullet_id,)


def test_an_unsure_insight_does_not_keep_a_sure_one_out() -> None:
    world = World()
    assert outcome(world.merge(said("e1", "a0", 0.2))) == Outcome.HELD
    assert all(is_only_unsure(item) for item in world.items.values())
    assert outcome(world.merge(said("e2", "a1", 0.2))) == Outcome.HELD
    assert len(world.items) == 1
    assert outcome(world.merge(said("e3", "a1", 0.9))) == Outcome.ADDED


def test_what_a_person_rejected_is_not_proposed_again_in_other_words() -> None:
    world = World()
    world.merge(said("e1", "a0", 0.2))
    world.decide("a0", ReviewState.REJECTED)
    for text in ("a0", "a1"):
        assert outcome(world.merge(said("e2", text, 1.0))) == Outcome.REJECTED
    assert not world.state.bullets
    assert outcome(world.merge(said("e3", "b0"))) == Outcome.ADDED


def test_what_was_approved_in_other_words_is_that_bullet() -> None:
    world = World()
    world.merge(said("e1", "a0", 0.2))
    known = world.merge(said("e2", "b0")).outcomes[0].bullet_id
    world.decide("a0", ReviewState.APPROVED, known)
    plan = world.merge(said("e3", "a0", 0.2))
    assert (outcome(plan), plan.outcomes[0].bullet_id) == (Outcome.MERGED, known)


def test_what_was_approved_and_is_gone_waits_again() -> None:
    world = World()
    world.merge(said("e1", "a0", 0.2))
    world.decide("a0", ReviewState.APPROVED, "strategy-gone")
    assert outcome(world.merge(said("e3", "a0", 0.2))) == Outcome.HELD


def test_an_item_is_decided_once() -> None:
    world = World()
    world.merge(said("e1", "a0", 0.2))
    world.decide("a0", ReviewState.REJECTED)
    with pytest.raises(Conflict, match="was rejected by p"):
        world.decide("a0", ReviewState.APPROVED)


def test_recalled_text_is_no_evidence() -> None:
    world = World()
    own = world.merge(said("e1", "a0")).outcomes[0].bullet_id
    for text in ("a0", "a1"):
        assert outcome(world.merge(said("e2", text, shown=(own,)))) == Outcome.REPEATED
    assert world.state.bullets[own].helpful_count == 0
    cited = Delta(episode_id="e3", votes=(Vote(bullet_id=own, tag=Tag.HELPFUL),), shown=(own,))
    world.merge(cited)
    assert world.state.bullets[own].helpful_count == 1, "what came of using it is evidence"


def test_of_several_that_say_the_same_the_most_trusted_is_confirmed() -> None:
    present = {**bullet_in("b0", PlaybookStage.PROD), **bullet_in("c0", PlaybookStage.SHADOW)}
    trusted, nearest = present
    near = [
        Neighbour(bullet_id=trusted, cosine=0.7, relation=Relation.SAME),
        Neighbour(bullet_id=nearest, cosine=0.95, relation=Relation.SAME),
    ]
    own = insight_id(DOMAIN, Insight(content="a0"))
    plan = plan_merge(DOMAIN, [said("e2", "a0")], neighbours={own: near}, present=present, voted=())
    assert plan.outcomes[0].bullet_id == trusted


def bullet_in(text: str, stage: PlaybookStage) -> dict[str, Bullet]:
    world = World()
    world.merge(said("e0", text))
    return {own: bullet.evolve(stage=stage) for own, bullet in world.state.bullets.items()}
