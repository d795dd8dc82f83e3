"""Grow and refine: which bullets of a playbook are put aside, and which come back. Nothing is rewritten or summed up.

    first that holds, for a bullet in use            it is archived as
    a stronger one says the same                     superseded, by that one; what contradicts it is linked to that one
    SHADOW or STAGING, and unused since `unused`     unused
    more valuable ones fill the token budget         room

    in the archive as unused or for room, and learned again since      restored to SHADOW, if there is room

Stronger: the higher stage, then trust (`ace.core.ranking`), then age. More valuable: the higher stage, then trust, then
the later use. Counters are never added together: two wordings of one thing would buy each other's promotion. A bullet
is put aside only for one that says the same itself, not for one at the end of a chain of likenesses; never for one that
contradicts it, or that stands for one that does; and never again once a person took it back.

A plan leaves nothing to do: planning again from what it leads to plans nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ace.core.ranking import trust
from ace.core.rendering import estimate_tokens, render_bullet
from ace.models.plan import Archive, Operation, Relate, Restore
from ace.models.playbook import IN_USE, Bullet, Link, PlaybookStage
from ace.models.refining import Cause

SPARED = PlaybookStage.PROD
"""What is shown to everyone is not archived for want of use."""

AGAIN = "learned again: a helpful vote since it was archived"

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """`unused`: bullets last used at this position of the journal or before are unused; None: none is."""

    unused: int | None = None
    unused_days: float = 0.0  # how long ago that was, for the reason
    budget: int | None = None  # tokens of bullets in use


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """A playbook as refinement sees it.

    `bullets`: those in use, older before younger. `again`: those in the archive that were learned again. `same`: the
    cosine of every pair that says the same. `used`: the position each bullet was last used at. `superseded`: what was
    put aside before because another said the same, and who stands for it now. `taken_back`: never superseded again.
    """

    bullets: Sequence[Bullet]
    again: Sequence[Bullet] = ()
    links: Collection[Link] = ()
    same: Mapping[Pair, float] = field(default_factory=dict)
    used: Mapping[str, int] = field(default_factory=dict)
    superseded: Mapping[str, str] = field(default_factory=dict)
    taken_back: Collection[str] = ()


def plan(found: Situation, rules: Rules) -> list[Operation]:
    """What is to be done: what goes, then what comes back."""
    twins, links = _twins(found)
    used, stand = _used(found), set(twins.values())
    left = [bullet for bullet in found.bullets if bullet.id not in twins]
    idle = [bullet for bullet in left if bullet.id not in stand and _is_idle(bullet, used, rules)]
    busy = _without(left, idle)
    kept = within([*busy, *found.again], rules.budget, used)
    crowded = _without(busy, kept)
    return [
        *(Relate(link=link) for link in links),
        *(Archive(bullet_id=own, reason=_same(found, own, other), superseded_by=other) for own, other in twins.items()),
        *(Archive(bullet_id=bullet.id, reason=_unused(rules)) for bullet in idle),
        *(Archive(bullet_id=bullet.id, reason=_full(rules)) for bullet in crowded),
        *(Restore(bullet_id=bullet.id, reason=AGAIN) for bullet in kept if bullet.stage not in IN_USE),
    ]


def within(bullets: Sequence[Bullet], budget: int | None, used: Mapping[str, int]) -> list[Bullet]:
    """Of these the most valuable that fit `budget` tokens together; none is left out that would fit beside them."""
    if budget is None:
        return list(bullets)
    kept, left = [], budget
    for bullet in sorted(bullets, key=lambda one: (*_rank(one), -used.get(one.id, 0), one.id)):
        cost = tokens(bullet)
        if cost <= left:
            kept.append(bullet)
            left -= cost
    return kept


def tokens(bullet: Bullet) -> int:
    """What a bullet costs a prompt that holds it."""
    return estimate_tokens(render_bullet(bullet))


def _rank(bullet: Bullet) -> tuple[int, float]:
    """Less is better: the higher stage, then trust. What is not in use would come back to SHADOW."""
    stage = bullet.stage if bullet.stage in IN_USE else PlaybookStage.SHADOW
    return -IN_USE.index(stage), -trust(bullet)


def _twins(found: Situation) -> tuple[dict[str, str], list[Link]]:
    """Who is stood for by whom, and the contradictions that the one takes over from the other.

    The strongest come first, so whoever stands for another is itself there to stay.
    """
    near, opposed = _neighbours(found.same), _neighbours((link.left, link.right) for link in found.links)
    concerned = [bullet for bullet in found.bullets if bullet.id in near]
    order = {bullet.id: at for at, bullet in enumerate(sorted(concerned, key=_rank))}  # equals stay in order of age
    twins: dict[str, str] = {}
    new: list[Link] = []
    for own in order:
        stronger = [other for other in near[own] if order.get(other, len(order)) < order[own] and other not in twins]
        allowed = [other for other in stronger if other not in opposed[own]]
        if not allowed or own in found.taken_back:
            continue
        twins[own] = one = min(allowed, key=order.__getitem__)
        for rival in sorted(opposed[own] - opposed[one]):
            new.append(Link.between(one, rival))
            opposed[one].add(rival)
            opposed[rival].add(one)
    return twins, new


def _neighbours(pairs: Iterable[Pair]) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        found[one].add(other)
        found[other].add(one)
    return found


def _used(found: Situation) -> dict[str, int]:
    """When each was last used; whoever stands for others is used when they were."""
    used = dict(found.used)
    for own, other in found.superseded.items():
        used[other] = max(used.get(other, 0), used.get(own, 0))
    return used


def _is_idle(bullet: Bullet, used: Mapping[str, int], rules: Rules) -> bool:
    return rules.unused is not None and bullet.stage != SPARED and 0 < used.get(bullet.id, 0) <= rules.unused


def _without(bullets: Sequence[Bullet], others: Sequence[Bullet]) -> list[Bullet]:
    names = {bullet.id for bullet in others}
    return [bullet for bullet in bullets if bullet.id not in names]


def _same(found: Situation, own: str, other: str) -> str:
    cosine = found.same.get((own, other)) or found.same[other, own]
    return f"{Cause.SUPERSEDED}: {other} says the same, cosine {cosine:.2f}"


def _unused(rules: Rules) -> str:
    return f"{Cause.UNUSED}: not shown, voted on or moved for {rules.unused_days:g} days"


def _full(rules: Rules) -> str:
    return f"{Cause.ROOM}: more valuable bullets fill the budget of {rules.budget} tokens"
