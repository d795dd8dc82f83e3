"""Trials in live traffic: a bullet is shown with a known chance, and the outcome is held against the draw.

    D = weight (shown - p) (success - expected)          p: the chance it was shown with, logged before the draw
                                                          expected: a forecast of success made before the task

Whatever the task and the time, the mean of D is weight p (1-p) (success with it - success without it): the
inverse-propensity estimate of the bullet's effect, scaled by p (1-p) and centred, since |D| < 1 then needs no bound.
A gambler who stakes the share b on D being positive owns the product of (1 + b D). While the bullet does no good
that product is a nonnegative supermartingale, so the average over a few values of b is an e-value at any moment
(Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", J R Stat Soc B 2024;86:1; see
`ace.core.evalues` for what an e-value promises). Harm is the same bet on -D.

One fortune is kept for each principal that reported. `e_values` leaves out the principal whose reports speak loudest,
in turn for good and for harm: what remains is what the others would say without it, and no single liar can raise it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ace.core.evalues import MOST

BETS = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08)
"""The shares staked, each on an equal part of the fortune: from large effects to small ones."""
_NOTHING = (0.0,) * len(BETS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One episode in which the bullet was up for being shown. `weight`: how far the verifier is trusted, 0..1."""

    shown: bool
    probability: float
    success: bool
    expected: float = 0.5
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Stakes:
    """The logarithms of the fortunes, one per bet, on good and on harm."""

    trials: int = 0
    helpful: tuple[float, ...] = _NOTHING
    harmful: tuple[float, ...] = _NOTHING


def gain(trial: Trial) -> float:
    """D, in -1..1. Raises ValueError for a draw that could not be."""
    p = trial.probability
    if not all(0.0 <= value <= 1.0 for value in (p, trial.expected, trial.weight)):
        raise ValueError(f"probability, expected and weight are shares: {trial}")
    if p in (0.0, 1.0) and trial.shown != bool(p):
        raise ValueError(f"shown={trial.shown} with probability {p}")
    return trial.weight * (trial.shown - p) * (trial.success - trial.expected)


def after(stakes: Stakes, trial: Trial) -> Stakes:
    """The fortunes after one more episode."""
    d = gain(trial)
    if d == 0.0:
        return Stakes(trials=stakes.trials + 1, helpful=stakes.helpful, harmful=stakes.harmful)
    return Stakes(
        trials=stakes.trials + 1,
        helpful=tuple(log + math.log1p(bet * d) for log, bet in zip(stakes.helpful, BETS, strict=True)),
        harmful=tuple(log + math.log1p(-bet * d) for log, bet in zip(stakes.harmful, BETS, strict=True)),
    )


def e_values(stakes: Collection[Stakes]) -> tuple[float, float]:
    """The evidence for good and for harm that is left whichever one principal is left out; 1, 1 for fewer than two."""
    if len(stakes) < 2:
        return 1.0, 1.0
    return _without_loudest([one.helpful for one in stakes]), _without_loudest([one.harmful for one in stakes])


def e_value_of_all(stakes: Iterable[Stakes]) -> tuple[float, float]:
    """The evidence for good and for harm with everyone believed."""
    known = list(stakes)
    return mixed(_sums([one.helpful for one in known])), mixed(_sums([one.harmful for one in known]))


def mixed(logs: Iterable[float]) -> float:
    """The average fortune, at most `MOST`."""
    return min(MOST, sum(math.exp(min(log, 50.0)) for log in logs) / len(BETS))


def _without_loudest(logs: Collection[tuple[float, ...]]) -> float:
    total = _sums(logs)
    return min(mixed(every - own for every, own in zip(total, one, strict=True)) for one in logs)


def _sums(logs: Collection[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(map(math.fsum, zip(*logs, strict=True))) if logs else _NOTHING
