"""The report's charts as geometry: paths in a square of 1000 x 1000 that is stretched to the plot, labels in percent.

Text never stands inside the stretched square, so that it stays sharp and readable at every width. A chart of many
steps is drawn from at most `POINTS` of them, the first and the last among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ace.core.statistics import moving_share, percentile, share
from ace.models.run import Interval, StepRecord, Validation
from ace.utils.report_words import THIN, interval_text, percent, seconds

SIDE = 1000
POINTS = 120
TABLE_ROWS = 40
BARS = 20
WINDOW_MIN, WINDOW_MAX, WINDOWS_IN_A_RUN = 10, 50, 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A label on an axis; `at` is in percent from the left or the bottom."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A point with its interval, in percent from the left and the bottom."""

    at: float
    value: float
    low: float
    high: float
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Zone:
    """A strip that tells its figures when it is pointed at; left edge and width in 0..1000."""

    x: int
    width: int
    title: str
    height: int = SIDE


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Everything one chart shows. `description` says in words what the picture says."""

    description: str
    line: str = ""
    band: str = ""
    second: str = ""
    x_ticks: tuple[Tick, ...] = ()
    y_ticks: tuple[Tick, ...] = ()
    rules: tuple[Tick, ...] = ()
    marks: tuple[Mark, ...] = ()
    zones: tuple[Zone, ...] = ()
    bars: tuple[Zone, ...] = ()
    end: Tick | None = None
    second_end: Tick | None = None
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    window: int = 0


def learning_curve(steps: Sequence[StepRecord], validations: Sequence[Validation] = ()) -> Chart | None:
    """The moving share of right answers with its 95 % band; None when no answer could be judged."""
    window = window_for(len(steps))
    shares = moving_share([step.correct for step in steps], window)
    first = next((place for place, found in enumerate(shares) if 2 * found.n >= window), len(steps))
    if len(steps) - first < 2:
        return None
    chosen = thinned(range(first, len(steps)), POINTS)
    points = [(steps[place].step, shares[place]) for place in chosen]
    held = [share(validation.correct, validation.n) for validation in validations]
    top = nice_top(max(found.high for found in [*(found for _, found in points), *held]))
    right, across = shares[-1], _across(len(steps))
    path = [(across(place + 1), found) for place, found in zip(chosen, (found for _, found in points), strict=True)]
    return Chart(
        description=f"Share of right answers over {len(steps):,} steps, each point over the last {window}; "
        f"it begins at {percent(points[0][1].value, window)} and ends at {percent(right.value, window)}.",
        line=_line((x, found.value / top) for x, found in path),
        band=_band([(x, found.low / top, found.high / top) for x, found in path]),
        x_ticks=_step_ticks(len(steps)),
        y_ticks=tuple(Tick(at=100 * value / top, label=percent(value, 0)) for value in _share_ticks(top)),
        rules=_epochs(steps),
        marks=_validation_marks(steps, validations, held, top),
        zones=_zones([x for x, _ in path], [_told(step, found) for step, found in points]),
        end=Tick(at=100 * right.value / top, label=percent(right.value, right.n)),
        header=("Step", "Right", f"95{THIN}% interval", "Answers"),
        rows=tuple(
            (f"{step:,}", percent(found.value, found.n), interval_text(found), f"{found.n}")
            for step, found in (points[place] for place in thinned(range(len(points)), TABLE_ROWS))
        ),
        window=window,
    )


def growth(steps: Sequence[StepRecord]) -> Chart | None:
    """Bullets in the playbook after each step, and lessons that restated a known one, added up."""
    if len(steps) < 2:
        return None
    restated = _running([step.merged for step in steps])
    sizes = [step.bullets for step in steps]
    top = _nice_count(max(*sizes, *restated, 1))
    chosen, across = thinned(range(len(steps)), POINTS), _across(len(steps))
    told = [
        f"After step {steps[place].step:,}: {sizes[place]:,} bullets, {restated[place]:,} lessons restated one"
        for place in chosen
    ]
    xs = [across(place + 1) for place in chosen]
    line = [(x, sizes[place] / top) for x, place in zip(xs, chosen, strict=True)]
    return Chart(
        description=f"The playbook grew from {sizes[0]:,} to {sizes[-1]:,} bullets; {restated[-1]:,} lessons restated "
        "a bullet it had.",
        line=_line(line),
        band=_band([(x, 0.0, y) for x, y in line]),
        second=_line((x, restated[place] / top) for x, place in zip(xs, chosen, strict=True)),
        x_ticks=_step_ticks(len(steps)),
        y_ticks=tuple(Tick(at=100 * part, label=f"{top * part:,.0f}") for part in (0.0, 0.5, 1.0)),
        zones=_zones(xs, told),
        end=Tick(at=100 * sizes[-1] / top, label=f"{sizes[-1]:,}"),
        second_end=Tick(at=100 * restated[-1] / top, label=f"{restated[-1]:,}"),
    )


SHORTEST_S = 1e-6  # what took less was not measured


def histogram(latencies: Sequence[float]) -> Chart | None:
    """How long answers took; the last bar holds all that took longer than twice the 95th percentile."""
    if len(latencies) < 2 or max(latencies) < SHORTEST_S:
        return None
    p50, p95 = percentile(latencies, 0.5), percentile(latencies, 0.95)
    reach = min(max(latencies), max(2 * p95, SHORTEST_S))
    width = _nice_step(reach / BARS)
    last = max(1, math.ceil(reach / width)) - 1
    counts = [0] * (last + 1)
    for latency in latencies:
        counts[min(last, int(latency / width))] += 1
    end = width * (last + 1)
    return Chart(
        description=f"Half of the answers took at most {seconds(p50)}, 95{THIN}% at most {seconds(p95)}, the slowest "
        f"{seconds(max(latencies))}.",
        bars=tuple(_bar(place, count, counts, width, max(latencies)) for place, count in enumerate(counts)),
        x_ticks=tuple(Tick(at=at, label=seconds(end * at / 100)) for at in (0, 50, 100)),
        rules=_quantiles(p50 / end, p95 / end),
    )


def _quantiles(p50: float, p95: float) -> tuple[Tick, ...]:
    """Where the two stand, as one when their labels would lie on each other."""
    if p95 - p50 < 0.06:
        return (Tick(at=100 * min(1.0, p95), label="P50, P95"),)
    return Tick(at=100 * p50, label="P50"), Tick(at=100 * min(1.0, p95), label="P95")


def window_for(steps: int) -> int:
    """Over how many answers a learning curve of so many steps is averaged."""
    return min(WINDOW_MAX, max(WINDOW_MIN, steps // WINDOWS_IN_A_RUN))


def thinned(places: Sequence[int], most: int) -> list[int]:
    """At most `most` of the places, evenly spaced, the first and the last among them."""
    if len(places) <= most:
        return list(places)
    return [places[round(i * (len(places) - 1) / (most - 1))] for i in range(most)]


def nice_top(highest: float) -> float:
    """Where an axis of shares ends: the first of a few round shares that is not below `highest`."""
    return next((top for top in (0.1, 0.2, 0.4, 0.6, 0.8) if highest <= top), 1.0)


def _share_ticks(top: float) -> list[float]:
    step = 0.05 if top <= 0.2 else 0.1 if top <= 0.4 else 0.2
    return [step * i for i in range(round(top / step) + 1)]


def _told(step: int, found: Interval) -> str:
    right = f"{percent(found.value, found.n)} of the last {found.n} right"
    return f"Step {step:,}: {right} (95{THIN}% interval {interval_text(found)})"


def _across(steps: int) -> Callable[[int], int]:
    """From the number of a step (1..steps) to its place from the left, 0..1000."""
    return lambda number: round(SIDE * (number - 1) / max(steps - 1, 1))


def _line(points: Iterable[tuple[int, float]]) -> str:
    return "M" + "L".join(f"{x} {_down(y)}" for x, y in points)


def _band(points: Sequence[tuple[int, float, float]]) -> str:
    upper = [f"{x} {_down(high)}" for x, _, high in points]
    lower = [f"{x} {_down(low)}" for x, low, _ in reversed(points)]
    return f"M{'L'.join(upper + lower)}Z"


def _down(share_of_height: float) -> int:
    return round(SIDE * (1.0 - share_of_height))


def _zones(xs: Sequence[int], titles: Sequence[str]) -> tuple[Zone, ...]:
    """Strips that meet half way between neighbours."""
    middles = [(left + right) // 2 for left, right in pairwise(xs)]
    edges = [max(0, 2 * xs[0] - middles[0]), *middles, SIDE]
    return tuple(
        Zone(x=left, width=max(1, right - left), title=title)
        for (left, right), title in zip(pairwise(edges), titles, strict=True)
    )


def _epochs(steps: Sequence[StepRecord]) -> tuple[Tick, ...]:
    """Where each epoch after the first begins."""
    across = _across(len(steps))
    starts = [place for place in range(1, len(steps)) if steps[place].epoch != steps[place - 1].epoch]
    return tuple(Tick(at=across(place + 1) / 10, label=f"epoch {steps[place].epoch}") for place in starts)


def _validation_marks(
    steps: Sequence[StepRecord], validations: Sequence[Validation], held: Sequence[Interval], top: float
) -> tuple[Mark, ...]:
    across = _across(len(steps))
    return tuple(
        Mark(
            at=across(max(1, sum(step.epoch <= validation.epoch for step in steps))) / 10,
            value=100 * found.value / top,
            low=100 * found.low / top,
            high=100 * found.high / top,
            title=f"Validation after epoch {validation.epoch}: {validation.correct} of {validation.n} right, "
            f"{percent(found.value, found.n)} (95{THIN}% interval {interval_text(found)})",
        )
        for validation, found in zip(validations, held, strict=True)
    )


def _step_ticks(steps: int) -> tuple[Tick, ...]:
    """The first step, some round ones, the last step."""
    unit, across = round(_nice_step(steps / 4)) or 1, _across(steps)
    numbers = [1, *(number for number in range(unit, steps, unit) if unit / 2 < number < steps - unit / 2), steps]
    return tuple(Tick(at=across(number) / 10, label=f"{number:,}") for number in dict.fromkeys(numbers))


def _nice_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((power * unit for unit in (1, 2, 5) if power * unit >= least), 10 * power)


def _nice_count(highest: int) -> int:
    """An even round number that is at least `highest`."""
    step = max(1, round(_nice_step(highest / 8)))
    return 2 * step * math.ceil(highest / (2 * step))


def _running(numbers: Sequence[int]) -> list[int]:
    total, totals = 0, []
    for number in numbers:
        total += number
        totals.append(total)
    return totals


def _bar(place: int, count: int, counts: Sequence[int], width: float, slowest: float) -> Zone:
    low, high = place * width, (place + 1) * width
    open_end = place == len(counts) - 1 and slowest > high
    reach = f"{seconds(low)} and longer" if open_end else f"{seconds(low)} to {seconds(high)}"
    left, right = (round(SIDE * edge / len(counts)) for edge in (place, place + 1))
    return Zone(x=left + 2, width=right - left - 4, title=f"{reach}: {count:,}",
                height=round(SIDE * count / max(counts)))  # fmt: skip
