"""A bench as one HTML page that needs nothing else: the paper's table, how sure it is, what it cost.

Made from the judged answers alone, so a page can be made again from a run's folder, and of several runs together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ace.core.bench_join import table as joined
from ace.core.bench_table import BASE
from ace.models.bench import BenchRow, BenchRun, BenchTable, Outcome, Setting
from ace.models.run import StepRecord
from ace.utils import bench_tables
from ace.utils.report import template
from ace.utils.report_charts import Chart, learning_curve, nice_top
from ace.utils.report_parts import score
from ace.utils.report_view import Score
from ace.utils.report_words import counted, percent, shortened

CHARS = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """All figures of one data set on one axis."""

    dataset: str
    metric: str
    axis: float
    scores: tuple[Score, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """How one cell learned."""

    title: str
    chart: Chart


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchView:
    """Everything the template prints."""

    headline: str
    lede: str
    facts: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]
    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    scales: tuple[Scale, ...]
    intervals: tuple[tuple[str, ...], ...]
    costs: tuple[tuple[str, ...], ...]
    cost_columns: tuple[str, ...]
    curves: tuple[Curve, ...]
    about: tuple[tuple[str, str], ...]


def bench_report(runs: Sequence[BenchRun], about: Mapping[str, str], stopped: str = "") -> str:
    """The page of these runs together; `about` says of each method what it does."""
    table = joined(runs)
    headline, lede = _headline(table)
    notices = ([f"Stopped early: {stopped}"] if stopped else []) + list(table.notices)
    view = BenchView(
        headline=headline,
        lede=lede,
        facts=tuple(_facts(runs, table)),
        notices=tuple(shortened(notice, CHARS) for notice in notices),
        columns=bench_tables.columns_of(table),
        lines=tuple(bench_tables.paper_lines(table)),
        scales=tuple(_scale(table, name) for name in table.datasets),
        intervals=tuple(bench_tables.interval_lines(table)),
        costs=tuple(bench_tables.cost_lines(table)),
        cost_columns=bench_tables.COST,
        curves=tuple(_curves(runs)),
        about=tuple((row, about.get(row, "")) for row in dict.fromkeys(row.method for row in table.rows)),
    )
    return template("bench.html").render(view=view)


def _headline(table: BenchTable) -> tuple[str, str]:
    """Who was best, and on what that rests."""
    answers = sum(figure.accuracy.n for row in table.rows for figure in row.figures.values())
    basis = f"{counted(answers, 'answer')}; every method was given the same tasks in the same order."
    best = max(table.rows, key=_overall, default=None)
    if best is None or _overall(best) < 0:
        return "Nothing is finished yet", basis
    where = "" if best.setting is None else f" {best.setting}"
    share = percent(_overall(best), 0)
    others = [row for row in table.rows if row.method == BASE and row is not best]
    against = "".join(f", {BASE} {percent(_overall(row), 0)}" for row in others)
    caution = f" The highest of {counted(len(table.rows), 'row')} is flattered by being chosen." if against else ""
    return f"Highest: {best.method}{where}, {share} right{against}", basis + caution


def _overall(row: BenchRow) -> float:
    if row.average is not None:
        return row.average.accuracy.value
    return next((figure.accuracy.value for figure in row.figures.values()), -1.0) if len(row.figures) == 1 else -1.0


def _facts(runs: Sequence[BenchRun], table: BenchTable) -> Iterator[tuple[str, str]]:
    yield "Model", ", ".join(dict.fromkeys(run.model for run in runs))
    yield "Runs", ", ".join(run.name for run in runs)
    yield "Seeds", ", ".join(dict.fromkeys(str(seed) for run in runs for seed in run.seeds))
    yield "Temperature", ", ".join(dict.fromkeys(str(run.shape.get("settings.temperature", "")) for run in runs))
    yield "Answers a row", ", ".join(f"{name} {n:,}" for name, n in table.tasks.items())


def _scale(table: BenchTable, name: str) -> Scale:
    found = [(row, row.figures[name].accuracy) for row in table.rows if name in row.figures]
    axis = nice_top(max(share.high for _, share in found)) if found else 1.0
    scores = [score(f"{row.method} · {bench_tables.setting_of(row)}".removesuffix(" · –"), _role(row), share, axis)
              for row, share in found]  # fmt: skip
    return Scale(dataset=name, metric=table.metrics[name], axis=axis, scores=tuple(scores))


def _role(row: BenchRow) -> str:
    return "old" if row.method == BASE else "learned" if row.method.startswith("ace") else "baseline"


def _curves(runs: Sequence[BenchRun]) -> Iterator[Curve]:
    """Of what learned online, with the first seed each."""
    streams: dict[tuple[str, Setting, str, int], list[Outcome]] = defaultdict(list)
    for run in runs:
        for one in run.outcomes:
            if one.setting is not None and one.setting.online and one.seed == min(run.seeds):
                streams[one.dataset, one.setting, one.method, one.seed].append(one)
    for (dataset, setting, method, seed), outcomes in streams.items():
        chart = learning_curve([_as_step(place, one) for place, one in enumerate(outcomes, start=1)])
        if chart is not None:
            yield Curve(title=f"{dataset}, {setting}: {method}, seed {seed}", chart=chart)


def _as_step(place: int, one: Outcome) -> StepRecord:
    return StepRecord(step=place, epoch=1, task_id=one.task_id, episode_id="", question="", answer=one.answer,
                      expected=one.expected, correct=one.correct)  # fmt: skip
