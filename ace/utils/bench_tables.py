"""A bench's table for people, spreadsheets and programs: Markdown, CSV, JSON.

The Markdown is laid out as the paper's table: methods in rows, whether labels were seen, a column for each data set and
their average, the difference to `base` in brackets. A second table has the intervals, a third what it cost.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ace.models.bench import BenchRow, BenchTable, Figure, Spending
from ace.models.task import Usage

AVERAGE = "average"
SECTIONS = {None: "No adaptation", False: "Offline adaptation", True: "Online adaptation"}
LABELS = {None: "–", True: "yes", False: "no"}
COST = ("Calls", "Tokens in", "cached", "Tokens out", "Price, $", "Adapting, s", "Answering, s", "Median answer, s")


def markdown(table: BenchTable) -> str:
    """The three tables, and what is to be known about them."""
    columns = columns_of(table)
    parts = [
        _table(("Method", "GT labels", *columns), list(paper_lines(table))),
        "Percent right; in brackets the difference to `base` in points. " + _sizes(table),
        _table(("Setting", "Method", "On", "Right, % (95 % interval)", "Difference, points", "Won, lost", "p"),
               list(interval_lines(table))),
        _table(("Setting", "Method", "On", *COST), list(cost_lines(table))),
        *(f"Note: {notice}" for notice in table.notices),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def columns_of(table: BenchTable) -> tuple[str, ...]:
    """The data sets, and their average where there are several."""
    return (*table.datasets, "Average") if len(table.datasets) > 1 else table.datasets


def paper_lines(table: BenchTable) -> Iterator[tuple[str, ...]]:
    """The rows of the paper's table, a heading before each section."""
    section: bool | None = None
    for row in table.rows:
        online = None if row.setting is None else row.setting.online
        if online != section:
            section = online
            yield (f"*{SECTIONS[online]}*", "", *("" for _ in columns_of(table)))
        cells = [short(row.figures.get(name), table.tasks[name]) for name in table.datasets]
        if len(table.datasets) > 1:
            cells.append(short(row.average))
        yield (row.method, LABELS[labels_of(row)], *cells)


def interval_lines(table: BenchTable) -> Iterator[tuple[str, ...]]:
    """One line for each figure, with its intervals."""
    for row in table.rows:
        for name, figure in _figures(row, table):
            accuracy, difference = figure.accuracy, figure.difference
            told = f"{_percent(accuracy.value)} ({_percent(accuracy.low)} to {_percent(accuracy.high)})"
            against = ("–", "–", "–")
            if difference is not None:
                span = f"{_points(difference.low)} to {_points(difference.high)}"
                p = "–" if name == AVERAGE else f"{figure.p:.2g}"
                against = (f"{_points(difference.value)} ({span})", f"{figure.wins}, {figure.losses}", p)
            yield (setting_of(row), row.method, name, told, *against)


def cost_lines(table: BenchTable) -> Iterator[tuple[str, ...]]:
    """One line for each row and data set: what adapting and answering took, over all seeds."""
    for row in table.rows:
        for name in table.datasets:
            if (spent := row.spending.get(name)) is not None and name in row.figures:
                yield (setting_of(row), row.method, name, *_cost(spent, row.latency_s[name]))


def comma_separated(table: BenchTable) -> str:
    """A line for each figure over all seeds (`seed` is empty) and for each seed."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=_CSV)
    writer.writeheader()
    for row in table.rows:
        for name, figure in _figures(row, table):
            writer.writerow(_csv_line(row, name, figure))
            for one in figure.seeds:
                writer.writerow({**_csv_key(row, name), "seed": one.seed, "n": one.n, "accuracy": one.accuracy,
                                 "difference": one.difference})  # fmt: skip
    return out.getvalue()


def as_json(table: BenchTable) -> str:
    """All of it."""
    return json.dumps(to_json(table), indent=2) + "\n"


def to_json(table: BenchTable) -> dict[str, Any]:
    return asdict(table)


def short(figure: Figure | None, asked: int | None = None) -> str:
    """`34.0 (+32.7)`; what is not complete says how many answers it has."""
    if figure is None:
        return "–"
    gained = "" if figure.difference is None else f" ({_points(figure.difference.value)})"
    lacking = "" if asked is None or figure.accuracy.n == asked else f", {figure.accuracy.n} of {asked}"
    return f"{_percent(figure.accuracy.value)}{gained}{lacking}"


def labels_of(row: BenchRow) -> bool | None:
    return None if row.setting is None else row.setting.labels


def setting_of(row: BenchRow) -> str:
    return "–" if row.setting is None else row.setting.value


def _figures(row: BenchRow, table: BenchTable) -> Iterator[tuple[str, Figure]]:
    yield from ((name, row.figures[name]) for name in table.datasets if name in row.figures)
    if row.average is not None:
        yield AVERAGE, row.average


def _cost(spent: Spending, median: float) -> tuple[str, ...]:
    used: Usage = spent.adapting + spent.answering
    return (
        f"{used.calls:,}", f"{used.prompt_tokens:,}", f"{used.cached_tokens:,}", f"{used.completion_tokens:,}",
        f"{used.cost_usd:.4g}", f"{spent.adapting_s:,.1f}", f"{spent.answering_s:,.1f}", f"{median:.2f}",
    )  # fmt: skip


_KEY = ("dataset", "setting", "labels", "method", "seed")
_NUMBERS = ("n", "accuracy", "low", "high", "difference", "difference_low", "difference_high", "wins", "losses", "p",
            "failed", "calls", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_usd", "adapting_s",
            "answering_s", "median_latency_s")  # fmt: skip
_CSV = (*_KEY, *_NUMBERS)


def _csv_key(row: BenchRow, name: str) -> dict[str, Any]:
    return {"dataset": name, "setting": row.setting.value if row.setting else "", "labels": LABELS[labels_of(row)],
            "method": row.method}  # fmt: skip


def _csv_line(row: BenchRow, name: str, figure: Figure) -> dict[str, Any]:
    line = {**_csv_key(row, name), "n": figure.accuracy.n, "accuracy": figure.accuracy.value,
            "low": figure.accuracy.low, "high": figure.accuracy.high, "failed": figure.failed}  # fmt: skip
    if (difference := figure.difference) is not None:
        line |= {"difference": difference.value, "difference_low": difference.low, "difference_high": difference.high,
                 "wins": figure.wins, "losses": figure.losses}  # fmt: skip
        line |= {} if name == AVERAGE else {"p": figure.p}
    if (spent := row.spending.get(name)) is not None:
        used = asdict(spent.adapting + spent.answering)
        line |= used | {"adapting_s": spent.adapting_s, "answering_s": spent.answering_s,
                        "median_latency_s": row.latency_s[name]}  # fmt: skip
    return line


def _sizes(table: BenchTable) -> str:
    told = (f"{name}: {table.tasks[name]:,} answers a row, {table.metrics[name]}" for name in table.datasets)
    return "; ".join(told) + "."


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _points(value: float) -> str:
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0.0 else text.replace("-", "−")


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
