"""What a domain's playbook is worth: success of the tasks that saw it, less that of the tasks held out.

The interval is Newcombe's for two independent shares, squares of Wilson's intervals added (Newcombe RG, Stat Med
1998;17:873, method 10). It is right for one look at a moment fixed beforehand; who looks every day until it leaves
zero will see it leave zero. The two e-values beside it hold at every look: each task is a trial of the whole
playbook, shown with the chance 1 - holdout (`ace.core.trials`).
"""

from __future__ import annotations

import math

from ace.core.statistics import share
from ace.core.trials import Stakes, Trial, after, e_value_of_all
from ace.models.evidence import Worth
from ace.models.run import Interval


class Comparison:
    """The outcomes with and without, added up as they come."""

    def __init__(self) -> None:
        self._right, self._tried, self._stakes = [0, 0], [0, 0], Stakes()

    def add(self, *, held_out: bool, holdout: float, success: bool) -> None:
        """One task; `holdout` is the chance it had of being held out, more than 0 and less than 1."""
        expected = (sum(self._right) + 1) / (sum(self._tried) + 2)
        trial = Trial(shown=not held_out, probability=1.0 - holdout, success=success, expected=expected)
        self._stakes = after(self._stakes, trial)
        self._right[held_out] += success
        self._tried[held_out] += 1

    def worth(self) -> Worth:
        """What it comes to so far."""
        helps, harms = e_value_of_all([self._stakes])
        return Worth(
            with_playbook=share(self._right[0], self._tried[0]),
            held_out=share(self._right[1], self._tried[1]),
            difference=unpaired_difference(self._right[0], self._tried[0], self._right[1], self._tried[1]),
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
