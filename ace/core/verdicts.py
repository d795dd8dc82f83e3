"""From the fates of simulated bullets to figures, and whether they are good enough.

at most 5 % of the placebos ever in PROD
at least 90 % of the −10-point bullets quarantined within 240 pairs, and none ever in PROD
at least 80 % of the +15-point bullets in PROD within 120 pairs
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ace.core.statistics import percentile, share
from ace.models.run import Interval
from ace.models.simulation import Fate, Goal, KindResult

PLACEBOS_AT_MOST = 0.05
HARMFUL_AT_LEAST, HARMFUL_PAIRS = 0.90, 240
STRONG_AT_LEAST, STRONG_PAIRS = 0.80, 120


def kind_results(fates: Iterable[Fate]) -> tuple[KindResult, ...]:
    """One row per kind, in order of first appearance."""
    groups: dict[str, list[Fate]] = {}
    for fate in fates:
        groups.setdefault(fate.bullet.kind, []).append(fate)
    return tuple(_result(kind, group) for kind, group in groups.items())


def reached(kinds: Sequence[KindResult]) -> tuple[Goal, ...]:
    """The goals held against the figures; kinds that are not there have no goal."""
    goals: list[Goal] = []
    for kind in kinds:
        if kind.effect == 0:
            goals.append(_goal(f"{kind.kind}: at most {PLACEBOS_AT_MOST:.0%} ever in PROD", kind.prod,
                               kind.prod.value <= PLACEBOS_AT_MOST))  # fmt: skip
        elif kind.effect < 0:
            in_time = f"{kind.kind}: at least {HARMFUL_AT_LEAST:.0%} quarantined within {HARMFUL_PAIRS} pairs"
            goals.append(_goal(in_time, kind.quarantined_in_time, kind.quarantined_in_time.value >= HARMFUL_AT_LEAST))
            goals.append(_goal(f"{kind.kind}: none ever in PROD", kind.prod, kind.prod.value == 0))
        elif kind.effect >= 0.15:
            goals.append(_goal(f"{kind.kind}: at least {STRONG_AT_LEAST:.0%} in PROD within {STRONG_PAIRS} pairs",
                               kind.prod_in_time, kind.prod_in_time.value >= STRONG_AT_LEAST))  # fmt: skip
    return tuple(goals)


def _result(kind: str, fates: Sequence[Fate]) -> KindResult:
    to_prod = [fate.prod_at for fate in fates if fate.prod_at is not None]
    to_quarantine = [fate.quarantined_at for fate in fates if fate.quarantined_at is not None]
    n = len(fates)
    return KindResult(
        kind=kind,
        effect=fates[0].bullet.effect,
        n=n,
        staging=share(sum(fate.staging_at is not None for fate in fates), n),
        prod=share(len(to_prod), n),
        prod_in_time=share(sum(pairs <= STRONG_PAIRS for pairs in to_prod), n),
        quarantined=share(len(to_quarantine), n),
        quarantined_in_time=share(sum(pairs <= HARMFUL_PAIRS for pairs in to_quarantine), n),
        median_pairs_to_prod=_median(to_prod, fates),
        median_pairs_to_quarantine=_median(to_quarantine, fates),
    )


def _median(pairs: Sequence[int], fates: Iterable[Fate]) -> float | None:
    """None where it never happened, or where nothing was replayed at all."""
    return percentile(pairs, 0.5) if pairs and any(fate.pairs for fate in fates) else None


def _goal(text: str, found: Interval, is_reached: bool) -> Goal:
    return Goal(text=text, reached=is_reached,
                found=f"{found.value:.1%} (95 % interval {found.low:.1%} to {found.high:.1%})")  # fmt: skip
