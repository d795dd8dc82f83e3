"""Is the current release of a playbook worse than the one before? A verdict from what agents reported under each.

    gauge      it is worse when                                        and this is shown, at alpha / 3
    success    the share right fell by 8 points or more                that it fell
    errors     more than 15 % of tasks end in an error                 that the share rose
    latency    their P95 takes 1.3 times as long                       that more than 5 % of tasks take longer than 1.3
                                                                       times what the P95 before was at most

Shown means: by an interval one may look at after every task (`ace.core.always_valid`), the whole of it on the wrong
side. For latency alpha / 3 is halved again: one half for how high the P95 before may have been, which takes about 200
tasks to say anything, one for the tasks now.

**What is promised.** If under both releases tasks are right, fail and take long independently of each other, with
chances that do not change, and the current release is not worse in any of the three, then the chance that it is ever
called worse, however long and often one looks, is at most alpha (0.05) for that pair of releases. The promise is
Ville's inequality; it is not for a time of year in which all tasks are harder: releases are compared one after the
other, not side by side.

**What counts.** A task counts for the release whose playbook it was given: the position in its receipt says which. A
task without a receipt, one that was held out (it was shown nothing), and one of a stretch that a rollback undid count
for none. Success counts where somebody judged, latency where it was reported, errors always.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Collection
from dataclasses import dataclass, field

from ace.core.always_valid import Count, difference, quantile_top, share
from ace.core.statistics import percentile
from ace.models.guardrail import Bounds, Finding, Gauge
from ace.models.observation import Observation

Q = 0.95
Stretch = tuple[int, int]  # the positions between these two, both left out


@dataclass(slots=True)
class Sample:
    """What tasks under one release came to. `seconds` are sorted."""

    tasks: int = 0
    failed: int = 0
    judged: int = 0
    right: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, seen: Observation) -> None:
        self.tasks += 1
        self.failed += seen.failed
        if seen.success is not None:
            self.judged += 1
            self.right += seen.success
        if seen.latency_s > 0.0:
            insort(self.seconds, seen.latency_s)

    @property
    def p95(self) -> float | None:
        return percentile(self.seconds, Q) if self.seconds else None


@dataclass(slots=True)
class Samples:
    """Tasks of the previous release, from position `start`, and of the current one, from `turn`."""

    start: int
    turn: int
    undone: Collection[Stretch] = ()
    previous: Sample = field(default_factory=Sample)
    current: Sample = field(default_factory=Sample)

    def add(self, seen: Observation) -> None:
        """Count the task where it belongs, if anywhere."""
        at = seen.position
        if at is None or at < self.start or seen.held_out or any(low < at < high for low, high in self.undone):
            return
        (self.current if at >= self.turn else self.previous).add(seen)

    def judge(self, bounds: Bounds) -> tuple[Finding, ...]:
        return judge(self.previous, self.current, bounds)


def judge(previous: Sample, current: Sample, bounds: Bounds) -> tuple[Finding, ...]:
    """The three gauges."""
    alpha = bounds.alpha / len(Gauge)
    return (
        _success(Count(previous.right, previous.judged), Count(current.right, current.judged), bounds, alpha),
        _errors(Count(previous.failed, previous.tasks), Count(current.failed, current.tasks), bounds, alpha),
        _latency(previous, current, bounds, alpha / 2),
    )


def _success(before: Count, now: Count, bounds: Bounds, alpha: float) -> Finding:
    low, high = difference(before, now, alpha)
    fell = bool(before.n and now.n) and 100.0 * (before.share - now.share) >= bounds.success_points
    return _of_shares(Gauge.SUCCESS, before, now, (low, high), worse=fell and high < 0.0)


def _errors(before: Count, now: Count, bounds: Bounds, alpha: float) -> Finding:
    low, high = difference(before, now, alpha)
    many = 100.0 * now.share > bounds.error_percent
    return _of_shares(Gauge.ERRORS, before, now, (low, high), worse=many and low > 0.0)


def _latency(previous: Sample, current: Sample, bounds: Bounds, alpha: float) -> Finding:
    top = quantile_top(previous.seconds, Q, alpha)
    allowed = None if top is None else top * (1.0 + bounds.latency_percent / 100.0)
    n = len(current.seconds)
    slow = Count(0 if allowed is None else n - bisect_right(current.seconds, allowed), n)
    low, high = (0.0, 1.0) if allowed is None else share(slow, alpha)
    before, now = previous.p95, current.p95
    figures = f"P95 {_seconds(before)} (n={len(previous.seconds)}) to {_seconds(now)} (n={n})"
    beyond = "" if allowed is None else f", {slow.share:.1%} of tasks beyond {allowed:.3g} s [{low:.1%}, {high:.1%}]"
    return Finding(gauge=Gauge.LATENCY, before=before, now=now, n_before=len(previous.seconds), n_now=n, low=low,
                   high=high, worse=low > 1.0 - Q, reason=f"latency: {figures}{beyond}")  # fmt: skip


def _of_shares(gauge: Gauge, before: Count, now: Count, change: tuple[float, float], *, worse: bool) -> Finding:
    low, high = change
    reason = (
        f"{gauge}: {_percent(before)} (n={before.n}) to {_percent(now)} (n={now.n}), change between"
        f" {100 * low:+.1f} and {100 * high:+.1f} points"
    )
    return Finding(
        gauge=gauge,
        before=before.share if before.n else None,
        now=now.share if now.n else None,
        n_before=before.n,
        n_now=now.n,
        low=low,
        high=high,
        worse=worse,
        reason=reason,
    )


def _percent(count: Count) -> str:
    return f"{count.share:.1%}" if count.n else "unknown"


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g} s"
