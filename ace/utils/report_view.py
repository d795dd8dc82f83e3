"""What a report shows, as frozen values that are ready to print: the template adds no figure of its own.

    part             shown when the run has
    headline         anything; it says what came out, and no more than the interval allows
    scores           a paired evaluation; else validations; else learning steps
    difference       a paired evaluation
    curve, growth    learning steps
    cost, latency    answers
    lessons          a playbook
    changes          a paired evaluation
    failures         always: none is said too

A part that a run does not have is empty or None.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ace.utils.report_charts import Chart


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A share of right answers on an axis of 0..100 %; positions in percent of the axis. `role` picks the colour."""

    label: str
    role: str
    value: str
    interval: str
    at: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What the playbook changed. The shares are of all tasks judged, in percent, and make 100."""

    points: str
    role: str  # new: a gain is shown, loss: a loss is, same: neither
    interval: str
    verdict: str
    tally: tuple[tuple[str, int, float, str], ...]  # what, how many tasks, percent, role


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """A bullet as a card."""

    id: str
    text: str
    section: str
    stage: str
    source: str
    helpful: int
    harmful: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Lessons:
    """What was learned: the best `shown`, the rest folded away; `note` says who wrote them."""

    total: int
    note: str
    shown: tuple[Lesson, ...]
    folded: tuple[Lesson, ...]
    left_out: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A task whose outcome the playbook turned."""

    question: str
    expected: str
    without: str
    with_playbook: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """The tasks turned one way: some `shown`, some folded away, the rest counted."""

    total: int = 0
    shown: tuple[Change, ...] = ()
    folded: tuple[Change, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportView:
    """Everything the template prints."""

    title: str
    kind: str
    headline: str
    lede: str
    facts: tuple[tuple[str, str], ...]
    scores: tuple[Score, ...] = ()
    axis: float = 1.0
    difference: Difference | None = None
    curve: Chart | None = None
    growth: Chart | None = None
    latency: Chart | None = None
    costs: tuple[tuple[str, ...], ...] = ()
    latencies: tuple[tuple[str, ...], ...] = ()
    lessons: Lessons | None = None
    wins: Changes = field(default_factory=Changes)
    losses: Changes = field(default_factory=Changes)
    failures: tuple[tuple[str, int], ...] = ()
    failed: int = 0
    answers: int = 0
    settings: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
