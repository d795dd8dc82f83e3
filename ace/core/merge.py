"""Merging: deltas and what they are near to in, a plan out. Nothing is rewritten, nothing is merged away.

    nearest relation of an insight         what happens
    SAME as a bullet                       the bullet's counter rises: one vote per bullet per episode
    SAME as what a person rejected         nothing
    it needs a person (core.review)        it waits; when it waits already, nothing
    CONTRADICTS bullets, same as none      it is added and linked to each of them
    none                                   it is added

One vote per bullet per episode; none by the episode the bullet was born in, and none by restating a bullet that this
very episode was shown: recalled text is no evidence. A principal's votes on a bullet count up to the policy's limit.
Insights are taken in order, and each is compared with what the ones before it added; so merging in chunks gives
what merging at once gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ace.core.review import NOBODY, Known, Policy, contradicted, is_only_unsure
from ace.core.similarity import Relation
from ace.models.insight import Delta, Insight, Tag
from ace.models.plan import Add, Increment, InsightOutcome, MergePlan, Observe, Operation, Outcome, Relate
from ace.models.playbook import Bullet, Link, Origin, PlaybookStage, bullet_id, normalise
from ace.models.review import ReviewItem, ReviewState

_TRUST = {
    PlaybookStage.QUARANTINED: 0,
    PlaybookStage.ARCHIVED: 0,
    PlaybookStage.SHADOW: 1,
    PlaybookStage.STAGING: 2,
    PlaybookStage.PROD: 3,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """A text an insight is near to, known by the id of the bullet it is or would be, and what it is to the insight."""

    bullet_id: str
    cosine: float
    relation: Relation


Neighbours = Mapping[str, Sequence[Neighbour]]
"""By the id an insight's text would have: the bullets near it, the other insights of the batch, what is in review."""


@dataclass(slots=True)
class _Draft:
    """The plan as it grows: what is known so far, and what has been decided."""

    domain_id: str
    policy: Policy
    born: dict[str, str | None]  # every bullet there is -> the episode it was born in
    trust: dict[str, int]  # of the bullets there were before: how far up they are
    voted: set[tuple[str, str]]
    tally: Counter[tuple[str, str]]  # (bullet, principal) -> votes counted
    items: dict[str, ReviewItem]  # what waits or has been decided
    held: dict[str, ReviewItem] = field(default_factory=dict)  # those of them that are new
    operations: list[Operation] = field(default_factory=list)
    outcomes: list[InsightOutcome] = field(default_factory=list)


def plan_merge(
    domain_id: str,
    deltas: Sequence[Delta],
    *,
    neighbours: Neighbours,
    present: Mapping[str, Bullet],
    voted: Collection[tuple[str, str]],
    policy: Policy = NOBODY,
    known: Known | None = None,
) -> MergePlan:
    """What these deltas do to a domain that has counted the votes `voted`.

    `present` holds, by id, at least those of its bullets that the deltas or their neighbours name; `known` the same of
    the review queue, and of the votes of the deltas' principals.
    """
    known = known or Known()
    born = {bullet.id: bullet.origin.episode_id for bullet in present.values()}
    trust = {bullet.id: _TRUST[bullet.stage] for bullet in present.values()}
    draft = _Draft(domain_id, policy, born, trust, set(voted), Counter(known.votes), dict(known.items))
    for delta in deltas:
        if delta.observation is not None:
            draft.operations.append(Observe(observation=delta.observation))
        for vote in delta.votes:
            if vote.bullet_id in draft.born:
                _vote(draft, vote.bullet_id, delta, vote.tag)
        for insight in delta.insights:
            _take(draft, delta, insight, neighbours)
    return MergePlan(
        operations=tuple(draft.operations), outcomes=tuple(draft.outcomes), held=tuple(draft.held.values())
    )


def insight_id(domain_id: str, insight: Insight) -> str:
    """The id of the bullet this insight would become."""
    return bullet_id(domain_id, insight.section, insight.content)


def _take(draft: _Draft, delta: Delta, insight: Insight, neighbours: Neighbours) -> None:
    own = insight_id(draft.domain_id, insight)
    near = [n for n in neighbours.get(own, ()) if n.bullet_id != own]
    same = [n for n in near if n.relation == Relation.SAME]
    if own in draft.born:
        _merge_into(draft, delta, insight, own, 1.0)
    elif bullets := [n for n in same if n.bullet_id in draft.born]:
        best = max(bullets, key=lambda n: _precedence(draft, delta, n))
        _merge_into(draft, delta, insight, best.bullet_id, best.cosine)
    else:
        opposed = [n.bullet_id for n in near if n.relation == Relation.CONTRADICTS and n.bullet_id in draft.born]
        _propose(draft, delta, insight, _earlier(draft, own, same), opposed)


def _precedence(draft: _Draft, delta: Delta, near: Neighbour) -> tuple[bool, int, float, str]:
    """Of several bullets that say the same: one the agent was just shown, the most trusted, the nearest."""
    own = near.bullet_id
    return own in delta.shown, draft.trust.get(own, _TRUST[PlaybookStage.SHADOW]), near.cosine, own


def _merge_into(draft: _Draft, delta: Delta, insight: Insight, target: str, cosine: float) -> None:
    """Confirm a bullet, unless the episode was shown it: what is recalled is no new evidence."""
    counted = target not in delta.shown and _vote(draft, target, delta, insight.tag)
    outcome = Outcome.MERGED if counted else Outcome.REPEATED
    draft.outcomes.append(InsightOutcome(outcome=outcome, bullet_id=target, similarity=cosine))


def _earlier(draft: _Draft, own: str, same: Sequence[Neighbour]) -> tuple[ReviewItem, float] | None:
    """What the review queue knows of this advice, and how near that is; None for what no longer stands."""
    found = [(own, 1.0)] if own in draft.items else []
    found += sorted(((n.bullet_id, n.cosine) for n in same if n.bullet_id in draft.items), key=lambda n: (-n[1], n[0]))
    items = ((draft.items[name], cosine) for name, cosine in found)
    return next((one for one in items if one[0].state != ReviewState.APPROVED or one[0].bullet_id in draft.born), None)


def _propose(
    draft: _Draft, delta: Delta, insight: Insight, earlier: tuple[ReviewItem, float] | None, opposed: Sequence[str]
) -> None:
    """New advice: what a person said of it before holds; else it waits if it must, and is added if not."""
    reasons = draft.policy.reasons(insight, opposed)
    match earlier:
        case (ReviewItem(state=ReviewState.APPROVED, bullet_id=str(known)), cosine):
            _merge_into(draft, delta, insight, known, cosine)
        case (ReviewItem(state=ReviewState.REJECTED) as item, cosine):
            _waive(draft, item, cosine, Outcome.REJECTED)
        case (ReviewItem(state=ReviewState.WAITING) as item, cosine) if reasons or not is_only_unsure(item):
            _waive(draft, item, cosine, Outcome.HELD)
        case _ if reasons:
            _hold(draft, delta, insight, reasons)
        case _:
            _add(draft, delta, insight, opposed)


def _waive(draft: _Draft, item: ReviewItem, cosine: float, outcome: Outcome) -> None:
    draft.outcomes.append(
        InsightOutcome(outcome=outcome, bullet_id=item.id, similarity=cosine, contradicts=contradicted(item),
                       reasons=item.reasons)
    )  # fmt: skip


def _hold(draft: _Draft, delta: Delta, insight: Insight, reasons: tuple[str, ...]) -> None:
    item = ReviewItem(
        id=insight_id(draft.domain_id, insight),
        domain_id=draft.domain_id,
        insight=replace(insight, content=normalise(insight.content)),
        reasons=reasons,
        episode_id=delta.episode_id,
        task_id=delta.task_id,
        model=delta.model,
        principal=delta.principal,
        shown=delta.shown,
        prompt_hash=delta.prompt_hash,
    )
    draft.items[item.id] = draft.held[item.id] = item
    _waive(draft, item, 0.0, Outcome.HELD)


def _add(draft: _Draft, delta: Delta, insight: Insight, opposed: Sequence[str]) -> None:
    own = insight_id(draft.domain_id, insight)
    origin = Origin(source=insight.source, episode_id=delta.episode_id, task_id=delta.task_id, model=delta.model,
                    confidence=insight.confidence, principal=delta.principal, shown=delta.shown,
                    prompt_hash=delta.prompt_hash, foreign=insight.foreign)  # fmt: skip
    bullet = Bullet(id=own, domain_id=draft.domain_id, content=normalise(insight.content),
                    section=insight.section, origin=origin)  # fmt: skip
    draft.born[own] = delta.episode_id
    draft.operations.append(Add(bullet=bullet))
    draft.operations.extend(Relate(link=Link.between(own, other)) for other in opposed)
    outcome = Outcome.LINKED if opposed else Outcome.ADDED
    draft.outcomes.append(InsightOutcome(outcome=outcome, bullet_id=own, contradicts=tuple(opposed)))


def _vote(draft: _Draft, target: str, delta: Delta, tag: Tag) -> bool:
    """Count the vote if it says something and this episode, and its principal, may still say it; True when counted."""
    episode_id = delta.episode_id
    if tag == Tag.NEUTRAL or draft.born[target] == episode_id or (target, episode_id) in draft.voted:
        return False
    if delta.principal and not _may_vote(draft, target, delta.principal):
        return False
    draft.voted.add((target, episode_id))
    helpful, harmful = int(tag == Tag.HELPFUL), int(tag == Tag.HARMFUL)
    draft.operations.append(
        Increment(bullet_id=target, episode_id=episode_id, helpful=helpful, harmful=harmful, principal=delta.principal)
    )
    return True


def _may_vote(draft: _Draft, target: str, principal: str) -> bool:
    """Whether this principal has a vote left on this bullet, and if so, use it."""
    limit, key = draft.policy.votes_per_principal, (target, principal)
    if limit and draft.tally[key] >= limit:
        return False
    draft.tally[key] += 1
    return True
