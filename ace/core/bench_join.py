"""One table from one run or several: columns side by side, or more seeds and methods for the same column.

the same data set, model and settings         pooled; where both runs have the same answer, the first counts
the same name, and anything else different    columns of their own, named after the model, else after the run
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ace.core.bench_table import rows
from ace.models.bench import BenchRow, BenchRun, BenchSet, BenchTable, Setting

COPYING = "copy-nearest"


def table(runs: Sequence[BenchRun]) -> BenchTable:
    """The table of these runs together."""
    labelled = [_relabelled(run, runs) for run in runs]
    sets: dict[str, BenchSet] = {}
    seeds: dict[str, set[int]] = {}
    for run in labelled:
        for data in run.datasets:
            sets.setdefault(data.name, data)
            seeds.setdefault(data.name, set()).update(run.seeds)
    made = rows(
        [one for run in labelled for one in run.outcomes],
        [one for run in labelled for one in run.spendings],
        list(dict.fromkeys(name for run in labelled for name in run.methods)),
    )
    return BenchTable(
        datasets=tuple(sets),
        rows=made,
        tasks={name: data.tasks * len(seeds[name]) for name, data in sets.items()},
        metrics={name: data.metric for name, data in sets.items()},
        notices=tuple([f"{name}: {told}" for name, data in sets.items() for told in data.notices] + [*copied(made)]),
    )


def copied(made: Sequence[BenchRow]) -> Iterator[str]:
    """Where copying the nearest answer does as well as learning: said in so many words."""
    by = {(row.setting, row.method): row for row in made}
    for setting in (Setting.OFFLINE, Setting.ONLINE):
        copying, learning = by.get((setting, COPYING)), by.get((setting, "ace"))
        if copying is None or learning is None:
            continue
        for name in (own for own in learning.figures if own in copying.figures):
            own, other = (row.figures[name].accuracy.value for row in (learning, copying))
            if 0.0 < own <= other:
                yield (
                    f"{name}, {setting}: copying the nearest answer, without a model, is right in {100 * other:.1f} %, "
                    f"ace in {100 * own:.1f} %. What is gained over base is no more than copying gives."
                )


def _relabelled(run: BenchRun, runs: Sequence[BenchRun]) -> BenchRun:
    names = {data.name: _label(run, data, runs) for data in run.datasets}
    return replace(
        run,
        datasets=tuple(replace(data, name=names[data.name]) for data in run.datasets),
        outcomes=tuple(replace(one, dataset=names[one.dataset]) for one in run.outcomes),
        spendings=tuple(replace(one, dataset=names[one.dataset]) for one in run.spendings),
    )


def _label(run: BenchRun, data: BenchSet, runs: Sequence[BenchRun]) -> str:
    """The data set's own name, where all who have it agree on everything else."""
    others = [(other, theirs) for other in runs for theirs in other.datasets if theirs.name == data.name]
    if all(_kind(other, theirs) == _kind(run, data) for other, theirs in others):
        return data.name
    alike = {str(_kind(other, theirs)) for other, theirs in others if other.model == run.model}
    return f"{data.name} ({run.model if len(alike) == 1 else run.name})"


def _kind(run: BenchRun, data: BenchSet) -> tuple[object, ...]:
    return run.model, sorted(run.shape.items(), key=str), data.files, data.tasks
