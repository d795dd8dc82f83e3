"""How sure a mean is when what was observed comes in groups: tasks about one text, one task asked with several seeds.

    clustered    percentile bootstrap over whole groups (Davison & Hinkley 1997, §3.8), from a fixed seed
    wider        the interval that holds both: the one that knows groups, and the one that never claims certainty
    averaged     the mean of independent figures, by MOVER: square-and-add of their own intervals (Zou & Donner 2008)

Davison AC, Hinkley DV, Bootstrap Methods and their Application, 1997 · Zou GY, Donner A, Stat Med 2008;27:1693.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ace.models.run import Interval

DRAWS = 2000
SEED = 20251004


def clustered(groups: Mapping[str, Sequence[float]]) -> Interval:
    """The mean of all values, and between what it lies when other groups of this kind had been met."""
    if not groups:
        raise ValueError("no groups")
    sums = np.array([sum(values) for values in groups.values()], dtype=np.float64)
    sizes = np.array([len(values) for values in groups.values()], dtype=np.float64)
    picks = np.random.default_rng(SEED).multinomial(len(sums), np.full(len(sums), 1.0 / len(sums)), size=DRAWS)
    low, high = np.quantile((picks @ sums) / (picks @ sizes), (0.025, 0.975))
    value = float(sums.sum() / sizes.sum())
    return Interval(value=value, low=min(float(low), value), high=max(float(high), value), n=int(sizes.sum()))


def wider(one: Interval, other: Interval) -> Interval:
    """The first, as wide as both together."""
    return replace(one, low=min(one.low, other.low), high=max(one.high, other.high))


def averaged(figures: Sequence[Interval]) -> Interval:
    """The plain mean of figures that do not depend on each other, and its interval."""
    if not figures:
        raise ValueError("no figures")
    n = len(figures)
    value = sum(one.value for one in figures) / n
    down = math.sqrt(sum((one.value - one.low) ** 2 for one in figures)) / n
    up = math.sqrt(sum((one.high - one.value) ** 2 for one in figures)) / n
    return Interval(value=value, low=value - down, high=value + up, n=sum(one.n for one in figures))
