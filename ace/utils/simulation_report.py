"""A simulation as one HTML page that needs nothing else: what became of each kind of bullet, policy beside policy.

Each row is a share with its 95 % interval, drawn as a dot on its whisker; the course below is the share of a kind
that stood in PROD, task by task. All text on the page is ours or escaped, and the page forbids itself scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ace.models.run import Interval
from ace.models.simulation import KindResult, Simulation
from ace.utils.report_words import interval_text, percent, signed

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = Path(__file__).parent / "templates" / "simulation.html"
SIDE = 1000

Figure = Callable[[KindResult], Interval]
PICTURES: tuple[tuple[str, Figure], ...] = (
    ("Ever in PROD", lambda kind: kind.prod),
    ("Quarantined", lambda kind: kind.quarantined),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Whisker:
    """One share of one kind under one policy; places in percent of the width."""

    policy: str
    value: float
    low: float
    high: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One kind of bullet with a whisker per policy."""

    label: str
    good: bool
    whiskers: tuple[Whisker, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One figure over all kinds."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """The share of one kind that stood in PROD over time, as a path in a square of 1000, and where it ended."""

    label: str
    kind: str
    path: str
    end: str


def render(results: Sequence[Simulation]) -> str:
    """The page."""
    return _template().render(
        results=results,
        pictures=[_picture(title, figure, results) for title, figure in PICTURES],
        courses=[(result, _courses(result)) for result in results],
    )


def label(kind: KindResult) -> str:
    """`strong (+15 points)`."""
    points = signed(kind.effect, 0)
    return f"{kind.kind} ({'no effect' if points == '0' else f'{points} points'})"


def _picture(title: str, figure: Figure, results: Sequence[Simulation]) -> Picture:
    rows = []
    for place, kind in enumerate(results[0].kinds):
        found = [(result.policy.value, figure(result.kinds[place])) for result in results]
        whiskers = tuple(_whisker(policy, share) for policy, share in found)
        rows.append(Row(label=f"{label(kind)}, {kind.n}", good=kind.effect > 0, whiskers=whiskers))
    return Picture(title=title, rows=tuple(rows))


def _whisker(policy: str, share: Interval) -> Whisker:
    return Whisker(policy=policy, value=100 * share.value, low=100 * share.low, high=100 * share.high,
                   text=f"{policy}: {percent(share.value, share.n)}, 95 % interval {interval_text(share)}")  # fmt: skip


def _courses(result: Simulation) -> list[Course]:
    return [_course(result, kind) for kind in result.kinds]


def _course(result: Simulation, kind: KindResult) -> Course:
    shares = [(moment.tasks / result.tasks, moment.in_prod[kind.kind] / kind.n) for moment in result.course]
    points = [f"{round(SIDE * x)} {round(SIDE * (1 - y))}" for x, y in [(0.0, 0.0), *shares]]
    end = percent(shares[-1][1], kind.n) if shares else percent(0.0, kind.n)
    return Course(label=label(kind), kind=kind.kind, path="M" + "L".join(points), end=end)


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    return environment.get_template(TEMPLATE.name)
