"""Which of the bullets near a task it is shown, and in what order.

    score = cosine + weight * trust        trust = (helpful + 1) / (helpful + harmful + 2) - 1/2

Trust is the mean of a Beta(helpful + 1, harmful + 1) belief (Laplace's rule of succession), centred, so that a
bullet nobody has voted on is ranked by meaning alone. Ties are broken by id: the same input gives the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ace.models.playbook import Bullet, PlaybookStage, ScoredBullet, Traffic

VISIBLE: Mapping[Traffic, frozenset[PlaybookStage]] = {
    Traffic.SHADOW: frozenset({PlaybookStage.SHADOW, PlaybookStage.STAGING, PlaybookStage.PROD}),
    Traffic.STAGING: frozenset({PlaybookStage.STAGING, PlaybookStage.PROD}),
    Traffic.PRODUCTION: frozenset({PlaybookStage.PROD}),
}
"""The stages whose bullets are shown, by kind of traffic."""


def trust(bullet: Bullet) -> float:
    """-0.5 (always harmful) .. 0 (unknown) .. 0.5 (always helpful)."""
    return (bullet.helpful_count + 1) / (bullet.helpful_count + bullet.harmful_count + 2) - 0.5


def rank(hits: Iterable[tuple[Bullet, float]], *, k: int, trust_weight: float, floor: float) -> list[ScoredBullet]:
    """The best `k` of the `(bullet, cosine)` hits with cosine >= `floor`, best first."""
    scored = (
        ScoredBullet(bullet=bullet, similarity=cosine, score=cosine + trust_weight * trust(bullet))
        for bullet, cosine in hits
        if cosine >= floor
    )
    return sorted(scored, key=lambda item: (-item.score, item.bullet.id))[:k]
