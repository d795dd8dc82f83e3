"""Shares, differences of shares and quantiles of which one may look at the intervals after every single task.

A task hits with an unknown probability p. After s hits in n tasks, with the uniform prior on p as the mixture,

    M(p) = integral over t of t^s (1-t)^(n-s), over p^s (1-p)^(n-s)  =  B(s+1, n-s+1) / (p^s (1-p)^(n-s))

If p is the true one, M(p) is a nonnegative martingale that starts at 1. So the chance that it ever reaches 1/alpha
is at most alpha (Ville's inequality), for all n at once, and exactly: nothing is approximated.

    share         all p with M(p) < 1/alpha                            an interval: log M is convex in p
    difference    all q - p with M1(p) M2(q) < 1/alpha                 M1 M2 is a martingale too, however the tasks of
                                                                       the two samples come mixed
    quantile_top  the least value that is surely at or above it        how many values lie below a quantile is a share

The product spends alpha once for both samples. Two intervals, each at alpha/2, would need about four times as many
tasks to tell two samples of one size apart.

Taken for granted: within a sample the tasks hit independently, with one probability.

Robbins H, "Statistical methods related to the law of the iterated logarithm", Ann Math Stat 1970;41:1397 · Howard SR,
Ramdas A, McAuliffe J, Sekhon J, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Ann Stat
2021;49:1055 · Howard SR, Ramdas A, "Sequential estimation of quantiles with applications to A/B testing and best-arm
identification", Bernoulli 2022;28:1704 · Ville J, "Étude critique de la notion de collectif", 1939.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

STEPS = 30  # halvings: an interval is at most 1e-9 wider than it need be


@dataclass(frozen=True, slots=True)
class Count:
    """So many hits in `n` tasks."""

    hits: int
    n: int

    @property
    def share(self) -> float:
        """0 when nothing was tried."""
        return self.hits / self.n if self.n else 0.0


def surprise(count: Count, p: float) -> float:
    """log M(p): how strongly the count speaks against p."""
    hits, misses = count.hits, count.n - count.hits
    beta = math.lgamma(hits + 1) + math.lgamma(misses + 1) - math.lgamma(count.n + 2)
    return beta - _times_log(hits, p) - _times_log(misses, 1.0 - p)


def share(count: Count, alpha: float) -> tuple[float, float]:
    """The interval of the share."""
    return _around(lambda p: surprise(count, p), count.share, 0.0, 1.0, bar=-math.log(alpha))


def difference(before: Count, after: Count, alpha: float) -> tuple[float, float]:
    """The interval of the share of `after` less the share of `before`."""
    if not before.n or not after.n:
        return -1.0, 1.0
    estimate = after.share - before.share
    return _around(lambda d: _joint(before, after, d), estimate, -1.0, 1.0, bar=-math.log(alpha))


def quantile_top(rising: Sequence[float], q: float, alpha: float) -> float | None:
    """The least of these sorted values that the `q` quantile does not exceed; None while they are too few to say."""
    n = len(rising)
    least = math.floor(q * n) + 1
    reached = bisect_left(range(least, n + 1), -math.log(alpha), key=lambda hits: surprise(Count(hits, n), q))
    return rising[least + reached - 1] if least + reached <= n else None


def _joint(before: Count, after: Count, d: float) -> float:
    """How strongly the two counts speak against shares that differ by d, at the shares they speak least against."""
    low, high = sorted((before.share, min(max(after.share - d, 0.0), 1.0)))  # where each alone says least
    low, high = max(low, -d), min(high, 1.0 - d)
    p = low
    for _ in range(STEPS):
        p = (low + high) / 2
        if _slope(before, p) + _slope(after, p + d) < 0.0:
            low = p
        else:
            high = p
    return surprise(before, p) + surprise(after, p + d)


def _slope(count: Count, p: float) -> float:
    """Of log M at p."""
    hits, misses = count.hits, count.n - count.hits
    return (misses / (1.0 - p) if misses else 0.0) - (hits / p if hits else 0.0) if 0.0 < p < 1.0 else 0.0


def _around(
    against: Callable[[float], float], inside: float, least: float, most: float, *, bar: float
) -> tuple[float, float]:
    """Where a convex function crosses the bar on both sides of a point below it."""
    return _edge(against, inside, least, bar), _edge(against, inside, most, bar)


def _edge(against: Callable[[float], float], inside: float, outside: float, bar: float) -> float:
    if against(outside) < bar:
        return outside
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        if against(middle) < bar:
            inside = middle
        else:
            outside = middle
    return outside


def _times_log(n: int, p: float) -> float:
    if n == 0:
        return 0.0
    return n * math.log(p) if p > 0.0 else -math.inf
