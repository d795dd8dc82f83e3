"""From judged answers to the table of a bench: who is how good, and how much better than `base` on the same tasks.

accuracy      share right over all tasks and seeds; Wilson's interval, or the groups' where that is wider
difference    to `base`, over the (task, seed) both have; Newcombe's paired interval, or the groups' where wider
p             exact McNemar over groups: a group counts as won or lost by the sum of its differences
average       mean over data sets, for rows that have them all
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from ace.core.resampling import averaged, clustered, wider
from ace.core.statistics import paired_difference, percentile, share, sign_test
from ace.models.bench import BenchRow, Figure, Outcome, SeedFigure, Setting, Spending
from ace.models.run import Interval

BASE = "base"
Row = tuple[Setting | None, str]
Answers = Mapping[tuple[int, str], Outcome]
"""A cell's answers over all seeds, by seed and task."""


def rows(outcomes: Iterable[Outcome], spendings: Iterable[Spending], methods: Sequence[str]) -> tuple[BenchRow, ...]:
    """The rows, `base` first, then by setting; within a setting as `methods` are listed."""
    cells: dict[Row, dict[str, dict[tuple[int, str], Outcome]]] = defaultdict(lambda: defaultdict(dict))
    datasets: dict[str, None] = {}
    for one in outcomes:
        datasets.setdefault(one.dataset)
        cells[one.setting, one.method][one.dataset].setdefault((one.seed, one.task_id), one)
    spent = _spent(spendings)
    base = cells.get((None, BASE), {})
    return tuple(
        _row(row, cells[row], base, tuple(datasets), spent.get(row, {})) for row in sorted(cells, key=_order(methods))
    )


def figure(answers: Answers, base: Answers | None) -> Figure:
    """One method on one data set."""
    correct = {key: float(one.correct) for key, one in answers.items()}
    accuracy = wider(share(sum(one.correct for one in answers.values()), len(answers)),
                     clustered(_grouped(correct, answers)))  # fmt: skip
    failed = sum(one.error is not None for one in answers.values())
    shared = [key for key in answers if base and key in base]
    if not base or not shared:
        return Figure(accuracy=accuracy, failed=failed, seeds=_by_seed(answers, {}))
    differences = {key: correct[key] - base[key].correct for key in shared}
    nets = [sum(values) for values in _grouped(differences, answers).values()]
    wins, losses = sum(net > 0 for net in nets), sum(net < 0 for net in nets)
    return Figure(
        accuracy=accuracy,
        difference=wider(_paired(answers, base, shared), clustered(_grouped(differences, answers))),
        wins=wins,
        losses=losses,
        p=sign_test(wins, losses),
        failed=failed,
        seeds=_by_seed(answers, differences),
    )


def _row(
    row: Row, own: Mapping[str, Answers], base: Mapping[str, Answers], datasets: Sequence[str],
    spent: Mapping[str, Spending],
) -> BenchRow:  # fmt: skip
    setting, method = row
    compared = base if method != BASE else {}
    figures = {name: figure(own[name], compared.get(name)) for name in datasets if name in own}
    complete = len(figures) == len(datasets) > 1
    return BenchRow(
        setting=setting,
        method=method,
        figures=figures,
        average=_average(list(figures.values())) if complete else None,
        spending=spent,
        latency_s={name: percentile([one.latency_s for one in own[name].values()], 0.5) for name in figures},
    )


def _average(figures: Sequence[Figure]) -> Figure:
    differences = [one.difference for one in figures if one.difference is not None]
    return Figure(
        accuracy=averaged([one.accuracy for one in figures]),
        difference=averaged(differences) if len(differences) == len(figures) else None,
        wins=sum(one.wins for one in figures),
        losses=sum(one.losses for one in figures),
        failed=sum(one.failed for one in figures),
    )


def _paired(answers: Answers, base: Answers, shared: Sequence[tuple[int, str]]) -> Interval:
    both = sum(answers[key].correct and base[key].correct for key in shared)
    wins = sum(answers[key].correct and not base[key].correct for key in shared)
    losses = sum(base[key].correct and not answers[key].correct for key in shared)
    return paired_difference(both=both, wins=wins, losses=losses, neither=len(shared) - both - wins - losses)


def _grouped(values: Mapping[tuple[int, str], float], answers: Answers) -> dict[str, list[float]]:
    groups: dict[str, list[float]] = defaultdict(list)
    for key, value in values.items():
        groups[answers[key].group].append(value)
    return groups


def _by_seed(answers: Answers, differences: Mapping[tuple[int, str], float]) -> tuple[SeedFigure, ...]:
    found = []
    for seed in sorted({seed for seed, _ in answers}):
        own = [one.correct for (at, _), one in answers.items() if at == seed]
        gained = [value for (at, _), value in differences.items() if at == seed]
        found.append(SeedFigure(seed=seed, n=len(own), accuracy=sum(own) / len(own),
                                difference=sum(gained) / len(gained) if gained else None))  # fmt: skip
    return tuple(found)


def _spent(spendings: Iterable[Spending]) -> dict[Row, dict[str, Spending]]:
    """What each row took on each data set, over all seeds."""
    found: dict[Row, dict[str, Spending]] = defaultdict(dict)
    seen: set[tuple[Row, str, int]] = set()
    for one in spendings:
        row = (one.setting, one.method)
        if (row, one.dataset, one.seed) in seen:
            continue
        seen.add((row, one.dataset, one.seed))
        before = found[row].get(one.dataset)
        found[row][one.dataset] = one if before is None else _together(before, one)
    return found


def _together(one: Spending, other: Spending) -> Spending:
    return Spending(
        dataset=one.dataset,
        setting=one.setting,
        method=one.method,
        seed=one.seed,
        adapting=one.adapting + other.adapting,
        answering=one.answering + other.answering,
        adapting_s=one.adapting_s + other.adapting_s,
        answering_s=one.answering_s + other.answering_s,
    )


def _order(methods: Sequence[str]) -> Callable[[Row], tuple[int, int, str]]:
    settings: list[Setting | None] = [None, *Setting]
    places = {name: place for place, name in enumerate(methods)}
    return lambda row: (settings.index(row[0]), places.get(row[1], len(places)), row[1])
