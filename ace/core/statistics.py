"""How sure a figure is: shares and paired differences with 95 % intervals, from counts alone.

    share                Wilson's score interval (Wilson 1927; Newcombe 1998a, method 3)
    paired_difference    Newcombe's square-and-add interval for paired data (Newcombe 1998b, method 10)
    sign_test            the exact conditional McNemar test (McNemar 1947)
    percentile           linear between the closest ranks (Hyndman & Fan 1996, type 7)

Both intervals stay inside their bounds and say something at 0 % and 100 %, where the textbook's normal
approximation claims certainty. All of them take the tasks as independent of each other.

Wilson EB, J Am Stat Assoc 1927;22:209 · Newcombe RG, Stat Med 1998;17:857 (a), 1998;17:2635 (b) ·
McNemar Q, Psychometrika 1947;12:153 · Hyndman RJ, Fan Y, Am Stat 1996;50:361.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

from ace.models.run import Comparison, Interval, PairRecord

Z95 = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution."""


def share(successes: int, n: int) -> Interval:
    """`successes` of `n` as a share, 0..1, with its 95 % interval. Nothing tried (`n` = 0) is 0 in [0, 1]."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    if n == 0:
        return Interval(value=0.0, low=0.0, high=1.0, n=0)
    p, shrink = successes / n, 1.0 + Z95 * Z95 / n
    centre = (p + Z95 * Z95 / (2 * n)) / shrink
    half = Z95 * math.sqrt(p * (1.0 - p) / n + Z95 * Z95 / (4.0 * n * n)) / shrink
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(value=p, low=min(low, p), high=max(high, p), n=n)


def paired_difference(*, both: int, wins: int, losses: int, neither: int) -> Interval:
    """The share right with the playbook less the share right without it, -1..1, over the same tasks.

    `both` and `neither` count the tasks where the two arms agree, `wins` those right only with the playbook,
    `losses` those right only without. No tasks at all is 0 in [-1, 1].
    """
    n = both + wins + losses + neither
    if n == 0:
        return Interval(value=0.0, low=-1.0, high=1.0, n=0)
    new, old = share(both + wins, n), share(both + losses, n)
    correlation = _correlation(both, wins, losses, neither)
    value = (wins - losses) / n
    down = _square_and_add(new.value - new.low, old.high - old.value, correlation)
    up = _square_and_add(new.high - new.value, old.value - old.low, correlation)
    return Interval(value=value, low=max(-1.0, value - down), high=min(1.0, value + up), n=n)


def _square_and_add(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(0.0, a * a - 2.0 * correlation * a * b + b * b))


def _correlation(both: int, wins: int, losses: int, neither: int) -> float:
    """phi between the arms, a positive one with Newcombe's continuity correction; 0 when a margin is empty."""
    n = both + wins + losses + neither
    margins = (both + wins) * (losses + neither) * (both + losses) * (wins + neither)
    if margins == 0:
        return 0.0
    determinant = float(both * neither - wins * losses)
    corrected = max(0.0, determinant - n / 2) if determinant > 0 else determinant
    return corrected / math.sqrt(margins)


def sign_test(wins: int, losses: int) -> float:
    """The chance, were the playbook without effect, of a split at least this uneven: 0..1, both sides counted."""
    n, fewer = wins + losses, min(wins, losses)
    term = total = 1
    for i in range(fewer):
        term = term * (n - i) // (i + 1)
        total += term
    return min(1.0, 2 * total / (1 << n))


def compare(pairs: Iterable[PairRecord]) -> Comparison:
    """The paired evaluation in figures. A pair counts when both of its answers could be judged."""
    table = {(True, True): 0, (False, True): 0, (True, False): 0, (False, False): 0}
    for pair in pairs:
        if pair.without.correct is not None and pair.with_playbook.correct is not None:
            table[pair.without.correct, pair.with_playbook.correct] += 1
    both, wins, losses, neither = table.values()
    n = sum(table.values())
    return Comparison(
        without=share(both + losses, n),
        with_playbook=share(both + wins, n),
        difference=paired_difference(both=both, wins=wins, losses=losses, neither=neither),
        wins=wins,
        losses=losses,
    )


def moving_share(outcomes: Sequence[bool | None], window: int) -> list[Interval]:
    """For each outcome the share right among the last `window` known ones up to it; None is not known."""
    if window < 1:
        raise ValueError(f"a window of {window} outcomes")
    recent: deque[bool] = deque(maxlen=window)
    shares: list[Interval] = []
    for outcome in outcomes:
        if outcome is not None:
            recent.append(outcome)
        shares.append(share(sum(recent), len(recent)))
    return shares


def percentile(values: Sequence[float], q: float) -> float:
    """The value `q` (0..1) of the way up the sorted `values`: 0.5 is the median. Raises ValueError for none."""
    if not values or not 0.0 <= q <= 1.0:
        raise ValueError(f"percentile {q} of {len(values)} values")
    ordered = sorted(values)
    rank = q * (len(ordered) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (rank - below) * (ordered[above] - ordered[below])
