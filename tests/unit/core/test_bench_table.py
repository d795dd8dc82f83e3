"""From judged answers to a table: pairs on what both have, groups that count once, runs joined or kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ace.core.bench_join import table
from ace.core.bench_table import BASE, rows
from ace.core.statistics import paired_difference, share, sign_test
from ace.models.bench import BenchRun, BenchSet, Outcome, Setting, Spending
from ace.models.task import Usage

METHODS = (BASE, "copy-nearest", "few-shot", "ace")


def outcomes(method: str, right: Sequence[bool], *, setting: Setting | None = Setting.ONLINE, seed: int = 0,
             dataset: str = "shop", group: int = 1) -> list[Outcome]:  # fmt: skip
    return [
        Outcome(dataset=dataset, setting=None if method == BASE else setting, method=method, seed=seed,
                task_id=f"t{at}", group=f"g{at // group}", answer="", expected="", correct=one, latency_s=at)
        for at, one in enumerate(right)
    ]  # fmt: skip


def run(name: str, made: Sequence[Outcome], *, model: str = "m", shape: object = 1, seeds: int = 1,
        spendings: Sequence[Spending] = ()) -> BenchRun:  # fmt: skip
    datasets = dict.fromkeys(one.dataset for one in made)
    sets = tuple(BenchSet(name=own, metric="equal", tasks=4, notices=("mind it",)) for own in datasets)
    return BenchRun(name=name, model=model, shape={"k": shape}, datasets=sets, methods=METHODS,
                    seeds=tuple(range(seeds)), outcomes=tuple(made), spendings=tuple(spendings))  # fmt: skip


def test_a_difference_is_paired_on_the_tasks_both_have() -> None:
    made = outcomes(BASE, [True, False, False, True]) + outcomes("ace", [True, True, False])
    base, ace = rows(made, [], METHODS)
    figure = ace.figures["shop"]
    assert base.figures["shop"].difference is None
    assert figure.accuracy.value == pytest.approx(2 / 3)
    exact = paired_difference(both=1, wins=1, losses=0, neither=1)
    assert figure.difference is not None
    assert figure.difference.value == exact.value
    assert figure.difference.low <= exact.low
    assert figure.difference.high >= exact.high
    assert (figure.wins, figure.losses, figure.p) == (1, 0, sign_test(1, 0))
    assert ace.latency_s == {"shop": 1.0}, "the median's"


def test_tasks_that_belong_together_count_once() -> None:
    right = [True] * 4 + [False] * 8
    made = outcomes(BASE, [False] * 12, group=4) + outcomes("ace", right, group=4)
    figure = rows(made, [], METHODS)[1].figures["shop"]
    assert (figure.wins, figure.losses) == (1, 0), "four tasks about one text"
    assert figure.accuracy.low < share(4, 12).low


def test_seeds_are_there_together_and_each() -> None:
    made = outcomes(BASE, [False, False]) + outcomes(BASE, [False, True], seed=1)
    made += outcomes("ace", [True, False]) + outcomes("ace", [True, True], seed=1)
    figure = rows(made, [], METHODS)[1].figures["shop"]
    assert figure.accuracy.n == 4
    assert [(one.seed, one.accuracy, one.difference) for one in figure.seeds] == [(0, 0.5, 0.5), (1, 1.0, 0.5)]
    assert (figure.wins, figure.losses) == (1, 0), "the task that gained with one seed and not with the other is one"


def test_rows_stand_in_the_order_of_settings_and_methods() -> None:
    made = outcomes("ace", [True]) + outcomes("few-shot", [True]) + outcomes(BASE, [True])
    made += outcomes("ace", [True], setting=Setting.OFFLINE)
    found = [(row.setting, row.method) for row in rows(made, [], METHODS)]
    assert found == [(None, BASE), (Setting.OFFLINE, "ace"), (Setting.ONLINE, "few-shot"), (Setting.ONLINE, "ace")]


def test_an_average_needs_every_data_set() -> None:
    made = outcomes(BASE, [False]) + outcomes(BASE, [True], dataset="bank") + outcomes("ace", [True])
    base, ace = rows(made, [], METHODS)
    assert base.average is not None
    assert base.average.accuracy.value == 0.5
    assert ace.average is None


def test_what_seeds_spent_is_added_up() -> None:
    spent = Spending(dataset="shop", setting=Setting.ONLINE, method="ace", seed=0, adapting=Usage(calls=3),
                     answering=Usage(calls=2), adapting_s=1.5, answering_s=2.0)  # fmt: skip
    (row,) = rows(outcomes("ace", [True]), [spent, replace(spent, seed=1), spent], METHODS)
    assert (row.spending["shop"].adapting.calls, row.spending["shop"].answering_s) == (6, 4.0), "a repeat counts once"


def test_runs_of_the_same_are_pooled() -> None:
    one = run("one", outcomes(BASE, [False] * 4) + outcomes("ace", [True] * 4))
    more = outcomes(BASE, [True] * 4) + outcomes("few-shot", [True] * 4) + outcomes(BASE, [False] * 4, seed=1)
    found = table([one, run("two", more, seeds=2)])
    assert found.datasets == ("shop",)
    assert found.tasks == {"shop": 8}
    assert [(row.method, row.figures["shop"].accuracy.value) for row in found.rows] == [
        (BASE, 0.0), ("few-shot", 1.0), ("ace", 1.0),
    ], "what both runs have counts as the first has it"  # fmt: skip


@pytest.mark.parametrize(
    ("other", "columns"),
    [
        pytest.param({"model": "n"}, ("shop (m)", "shop (n)"), id="another-model"),
        pytest.param({"shape": 2}, ("shop (one)", "shop (two)"), id="other-settings"),
    ],
)
def test_runs_of_something_else_have_columns_of_their_own(other: dict[str, str], columns: tuple[str, ...]) -> None:
    found = table([run("one", outcomes(BASE, [True])), run("two", outcomes(BASE, [False]), **other)])  # type: ignore[arg-type]
    assert found.datasets == columns
    assert found.notices == tuple(f"{name}: mind it" for name in columns)


@pytest.mark.parametrize(
    ("copied", "learned", "said"),
    [(3, 3, True), (4, 3, True), (2, 3, False), (3, 0, False)],
    ids=["as-good", "better", "worse", "nothing-to-explain"],
)
def test_where_copying_is_as_good_it_is_said(copied: int, learned: int, said: bool) -> None:
    made = outcomes(BASE, [False] * 4)
    for method, right in (("copy-nearest", copied), ("ace", learned)):
        made += outcomes(method, [at < right for at in range(4)])
    assert any("copying the nearest answer" in told for told in table([run("one", made)]).notices) == said
