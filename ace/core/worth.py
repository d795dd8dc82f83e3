"""What a domain's playbook is worth: success of the tasks that saw it, less that of the tasks held out.

The interval is Newcombe's for two independent shares, squares of Wilson's intervals added (Newcombe RG, Stat Med
1998;17:873, method 10). It is right for one look at a moment fixed beforehand; who looks every day until it leaves
zero will see it leave zero. The two e-values beside it hold at every look: each task is a trial of the whole
playbook, shown with the chance 1 - holdout (`ace.core.trials`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ace.core.statistics import share
from ace.core.trials import Stakes, Trial, after, e_value_of_all
from ace.models.run import Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """Shares of success with and without, their difference, and e-values that the playbook helps, and that it harms."""

    with_playbook: Interval
    held_out: Interval
    difference: Interval
    helps: float = 1.0
    harms: float = 1.0


def worth(outcomes: Iterable[tuple[bool, bool]], *, holdout: float) -> Worth:
    """From (held out, success) of each task, in order; `holdout` is the share that was held out by lot."""
    right, tried, stakes = [0, 0], [0, 0], Stakes()
    for was_held_out, success in outcomes:
        expected = (sum(right) + 1) / (sum(tried) + 2)
        trial = Trial(shown=not was_held_out, probability=1.0 - holdout, success=success, expected=expected)
        stakes = after(stakes, trial)
        right[was_held_out] += success
        tried[was_held_out] += 1
    helps, harms = e_value_of_all([stakes])
    return Worth(
        with_playbook=share(right[0], tried[0]),
        held_out=share(right[1], tried[1]),
        difference=unpaired_difference(right[0], tried[0], right[1], tried[1]),
        helps=helps,
        harms=harms,
    )


def unpaired_difference(right: int, n: int, other_right: int, other_n: int) -> Interval:
    """The first share less the second, -1..1; 0 in [-1, 1] when either has nothing to show."""
    if n == 0 or other_n == 0:
        return Interval(value=0.0, low=-1.0, high=1.0, n=n + other_n)
    one, other = share(right, n), share(other_right, other_n)
    value = one.value - other.value
    down = math.hypot(one.value - one.low, other.high - other.value)
    up = math.hypot(one.high - one.value, other.value - other.low)
    return Interval(value=value, low=max(-1.0, value - down), high=min(1.0, value + up), n=n + other_n)
