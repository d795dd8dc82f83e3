"""Merging: deltas and what they are near to in, a plan out. Nothing is rewritten, nothing is merged away.

    nearest relation of an insight     what happens
    SAME as a bullet                   the bullet's counter rises: one vote per bullet per episode
    CONTRADICTS bullets, same as none  it is added and linked to each of them
    none                               it is added

One vote per bullet per episode, and none by the episode the bullet was born in: restating oneself is no evidence.
Insights are taken in order, and each is compared with what the ones before it added; so merging in chunks gives
what merging at once gives.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ace.core.similarity import Relation
from ace.models.insight import Delta, Insight, Tag
from ace.models.plan import Add, Increment, InsightOutcome, MergePlan, Operation, Outcome, Relate
from ace.models.playbook import Bullet, Link, Origin, bullet_id, normalise


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """A text an insight is near to, known by the id of the bullet it is or would be, and what it is to the insight."""

    bullet_id: str
    cosine: float
    relation: Relation


Neighbours = Mapping[str, Sequence[Neighbour]]
"""By the id an insight's text would have: the bullets near it, and the other insights of the batch near it."""


@dataclass(slots=True)
class _Draft:
    """The plan as it grows: what is known so far, and what has been decided."""

    domain_id: str
    born: dict[str, str | None]  # every bullet there is -> the episode it was born in
    voted: set[tuple[str, str]]
    operations: list[Operation] = field(default_factory=list)
    outcomes: list[InsightOutcome] = field(default_factory=list)


def plan_merge(
    domain_id: str,
    deltas: Sequence[Delta],
    *,
    neighbours: Neighbours,
    present: Mapping[str, Bullet],
    voted: Collection[tuple[str, str]],
) -> MergePlan:
    """What these deltas do to a domain that has counted the votes `voted`.

    `present` holds, by id, at least those of its bullets that the deltas or their neighbours name.
    """
    born = {bullet.id: bullet.origin.episode_id for bullet in present.values()}
    draft = _Draft(domain_id, born, set(voted))
    for delta in deltas:
        for vote in delta.votes:
            if vote.bullet_id in draft.born:
                _vote(draft, vote.bullet_id, delta.episode_id, vote.tag)
        for insight in delta.insights:
            _take(draft, delta, insight, neighbours)
    return MergePlan(operations=tuple(draft.operations), outcomes=tuple(draft.outcomes))


def insight_id(domain_id: str, insight: Insight) -> str:
    """The id of the bullet this insight would become."""
    return bullet_id(domain_id, insight.section, insight.content)


def _take(draft: _Draft, delta: Delta, insight: Insight, neighbours: Neighbours) -> None:
    own = insight_id(draft.domain_id, insight)
    near = [n for n in neighbours.get(own, ()) if n.bullet_id in draft.born and n.bullet_id != own]
    same = [n for n in near if n.relation == Relation.SAME]
    if own in draft.born:
        _merge_into(draft, delta, insight, own, 1.0)
    elif same:
        best = max(same, key=lambda n: (n.cosine, n.bullet_id))
        _merge_into(draft, delta, insight, best.bullet_id, best.cosine)
    else:
        _add(draft, delta, insight, own, [n for n in near if n.relation == Relation.CONTRADICTS])


def _merge_into(draft: _Draft, delta: Delta, insight: Insight, target: str, cosine: float) -> None:
    counted = _vote(draft, target, delta.episode_id, insight.tag)
    outcome = Outcome.MERGED if counted else Outcome.REPEATED
    draft.outcomes.append(InsightOutcome(outcome=outcome, bullet_id=target, similarity=cosine))


def _add(draft: _Draft, delta: Delta, insight: Insight, own: str, opposed: Sequence[Neighbour]) -> None:
    origin = Origin(source=insight.source, episode_id=delta.episode_id, task_id=delta.task_id,
                    model=delta.model, confidence=insight.confidence)  # fmt: skip
    bullet = Bullet(id=own, domain_id=draft.domain_id, content=normalise(insight.content),
                    section=insight.section, origin=origin)  # fmt: skip
    draft.born[own] = delta.episode_id
    draft.operations.append(Add(bullet=bullet))
    draft.operations.extend(Relate(link=Link.between(own, n.bullet_id)) for n in opposed)
    outcome = Outcome.LINKED if opposed else Outcome.ADDED
    contradicts = tuple(n.bullet_id for n in opposed)
    draft.outcomes.append(InsightOutcome(outcome=outcome, bullet_id=own, contradicts=contradicts))


def _vote(draft: _Draft, target: str, episode_id: str, tag: Tag) -> bool:
    """Count the vote if it says something and this episode may still say it; True when counted."""
    if tag == Tag.NEUTRAL or draft.born[target] == episode_id or (target, episode_id) in draft.voted:
        return False
    draft.voted.add((target, episode_id))
    helpful, harmful = int(tag == Tag.HELPFUL), int(tag == Tag.HARMFUL)
    draft.operations.append(Increment(bullet_id=target, episode_id=episode_id, helpful=helpful, harmful=harmful))
    return True
