"""E-values: how strongly counts speak against "this bullet does nothing good", at whatever moment one looks.

**Pairs.** The same task is run with and without the bullet; only pairs that differ count: w wins, l losses. If the
bullet does no good, a differing pair is a win with probability at most 1/2, whatever the task. Against that stands
the claim "a win has probability theta", and theta is not known, so the likelihood ratio is averaged over all of
(1/2, 1], evenly:

    E(w, l) = integral over theta in (1/2, 1] of 2 theta^w (1-theta)^l 2^(w+l)
            = 2 B(w+1, l+1) (1 - I_1/2(w+1, l+1)) 2^(w+l)
            = sum of C(n+1, i) for i = 0..w, over (n+1) C(n, w)          n = w + l

The last line is exact in integers: B(w+1, l+1) = 1 / ((n+1) C(n, w)), and 1 - I_1/2(w+1, l+1) is the chance that
n+1 fair coins show at most w heads. With theta = (1+b)/2 the same number is what a gambler owns who stakes the share
b of a fortune of 1 on every pair being a win, averaged over b in (0, 1]. Every such fortune is a nonnegative
supermartingale while the bullet does no good, and so is their average. Therefore E has expectation at most 1 at
every stopping time, and the chance that it ever reaches c is at most 1/c (Ville's inequality). Nobody has to say in
advance how many pairs there will be, and looking after each one costs nothing. Harm is the mirror: E(l, w).

**Many bullets.** Let N be the bullets that do no good; which they are is not known. The average of their e-values,
E_N, has expectation at most 1, however they depend on each other. `passing` gives the largest set R of best bullets
for which, for every set A of bullets, average of A >= |A and R| / (alpha |R|). One of those A is N, so the share of
wrong ones in R is at most alpha E_N, and at most alpha in expectation. This is closed e-BH (Xu, Fischer & Ramdas);
every set that e-BH (Wang & Ramdas) passes fulfils it, and often a larger one does. `e_bh` is kept for comparison.

Ville J, "Étude critique de la notion de collectif", 1939 · Grünwald P, de Heide R, Koolen W, "Safe testing", J R
Stat Soc B 2024;86:1091 · Ramdas A, Grünwald P, Vovk V, Shafer G, "Game-theoretic statistics and safe anytime-valid
inference", Stat Sci 2023;38:576 · Wang R, Ramdas A, "False discovery rate control with e-values", J R Stat Soc B
2022;84:822 (e-BH).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

MOST = 1e12
"""E-values are cut off here. What is cut stays an e-value, and is a number JSON can hold."""


@lru_cache(maxsize=65536)
def pairs_e_value(wins: int, losses: int) -> float:
    """The evidence of replayed pairs that the bullet helps; with the arguments swapped, that it harms."""
    if wins < 0 or losses < 0:
        raise ValueError(f"{wins} wins and {losses} losses")
    n = wins + losses
    term = total = 1
    for i in range(wins):
        term = term * (n + 1 - i) // (i + 1)
        total += term
    return quotient(total, (n + 1) * math.comb(n, wins))


def quotient(above: int, below: int) -> float:
    """above / below, at most `MOST`; exact to the last bit however large the two are."""
    return MOST if above >= int(MOST) * below else above / below


def wins_needed(losses: int, bar: float) -> int:
    """The fewest wins that reach `bar` beside so many losses."""
    wins = 0
    while pairs_e_value(wins, losses) < bar:
        wins += 1
    return wins


def e_bh(e_values: Sequence[float], alpha: float) -> int:
    """How many of the best pass: the greatest k whose k-th largest is at least names / (alpha k)."""
    ranked = sorted(e_values, reverse=True)
    fits = (k for k in range(len(ranked), 0, -1) if ranked[k - 1] * alpha * k >= len(ranked))
    return next(fits, 0)


def passing(e_values: Sequence[float], alpha: float) -> float | None:
    """The least e-value that passes among these when alpha of those that pass may be wrong; None when none does."""
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha {alpha} is not between 0 and 1")
    rising = np.sort(np.asarray(e_values, dtype=np.float64))
    n = len(rising)
    possible = n - int(np.searchsorted(rising, 1.0 / alpha))
    whole = (k for k in range(possible, 0, -1) if k == n or rising[n - k - 1] < rising[n - k])
    return next((float(rising[n - k]) for k in whole if _closed(rising[n - k :], rising[: n - k], alpha)), None)


def _closed(inside: Numbers, outside: Numbers, alpha: float) -> bool:
    """Whether no set A speaks against passing `inside`. The worst A of each overlap takes the smallest inside, and
    outside whatever is below what its average must reach."""
    overlap = np.arange(1, len(inside) + 1)
    needed = overlap / (alpha * len(inside))
    taken = np.searchsorted(outside, needed)
    total = np.cumsum(inside) + np.concatenate(([0.0], np.cumsum(outside)))[taken]
    return bool(np.all(total >= (overlap + taken) * needed))
