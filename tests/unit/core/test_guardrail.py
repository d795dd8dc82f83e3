"""The verdict on a release: what counts for it, what is too much, and how often it is wrong."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable

import pytest

from ace.core.guardrail import Sample, Samples, judge
from ace.models.guardrail import Bounds, Gauge
from ace.models.observation import Observation

SUCCESS, ERRORS, LATENCY = Gauge
Task = Callable[[random.Random], Observation]


def task(right: float = 0.75, failed: float = 0.05, seconds: float = 1.0) -> Task:
    """Tasks that are right and fail with these chances, and take these seconds on average."""
    return lambda drawn: Observation(
        episode_id="e",
        success=drawn.random() < right,
        failed=drawn.random() < failed,
        latency_s=drawn.expovariate(1 / seconds),
    )


def sample(n: int, kind: Task, seed: int = 1) -> Sample:
    drawn, made = random.Random(seed), Sample()
    for _ in range(n):
        made.add(kind(drawn))
    return made


def until_it_fires(before: Sample, kind: Task, seed: int, *, limit: int, every: int = 20) -> tuple[int, set[Gauge]]:
    """After how many tasks it fires, looking every so often, and for what; `limit` and nothing when it does not."""
    drawn, now = random.Random(seed), Sample()
    for n in range(1, limit + 1):
        now.add(kind(drawn))
        if n % every == 0 and (worse := {one.gauge for one in judge(before, now, Bounds()) if one.worse}):
            return n, worse
    return limit, set()


@pytest.mark.parametrize(
    ("kind", "worse"),
    [
        pytest.param(task(), set(), id="the-same"),
        pytest.param(task(right=0.95, failed=0.01, seconds=0.5), set(), id="better"),
        pytest.param(task(right=0.5), {SUCCESS}, id="right-less-often"),
        pytest.param(task(failed=0.3), {ERRORS}, id="fails-more-often"),
        pytest.param(task(seconds=2.5), {LATENCY}, id="takes-longer"),
        pytest.param(task(seconds=1.1), set(), id="takes-a-little-longer"),
        pytest.param(task(right=0.71), set(), id="down-by-four-points"),
        pytest.param(task(failed=0.12), set(), id="fails-more-often-but-not-too-often"),
        pytest.param(task(right=0.4, failed=0.4, seconds=3.0), set(Gauge), id="all-of-it"),
    ],
)
def test_what_is_worse(kind: Task, worse: set[Gauge]) -> None:
    found = judge(sample(2000, task()), sample(2000, kind, seed=2), Bounds())
    assert {one.gauge for one in found if one.worse} == worse


def test_the_reason_is_in_figures() -> None:
    found = judge(sample(500, task()), sample(500, task(right=0.5, seconds=3.0), seed=2), Bounds())
    success, errors, latency = (one.reason for one in found)
    assert success == "success: 75.2% (n=500) to 48.0% (n=500), change between -40.0 and -13.7 points"
    assert errors.startswith("errors: ")
    assert latency.startswith("latency: P95 ")
    assert "of tasks beyond" in latency


def test_nothing_is_worse_than_nothing() -> None:
    for before, now in ((Sample(), sample(500, task(right=0.0))), (sample(500, task()), Sample())):
        assert not any(one.worse for one in judge(before, now, Bounds()))


def test_a_release_that_changed_nothing_is_called_worse_at_most_as_often_as_alpha_says(
    pytestconfig: pytest.Config,
) -> None:
    """Releases like the one before, each looked at 10 times with bounds that leave it to the evidence alone."""
    strict, alarms = Bounds(success_points=0.0, latency_percent=0.0, error_percent=0.0), 0
    runs = 240 if pytestconfig.getoption("--full") else 60
    for seed in range(runs):
        drawn, kind = random.Random(seed), task(failed=0.2)
        before, now = sample(250, kind, seed=10_000 + seed), Sample()
        fired = False
        for _ in range(10):
            for _ in range(40):
                now.add(kind(drawn))
            fired = fired or any(one.worse for one in judge(before, now, strict))
        alarms += fired
    assert alarms <= 0.05 * runs


def test_a_drop_of_15_points_is_found_within_the_tasks_the_guide_names() -> None:
    """From 75 % to 60 %, after 500 tasks under the release before: the guide says about 240 in the middle."""
    fired = [until_it_fires(sample(500, task(), seed=900 + seed), task(right=0.6), seed, limit=2500)
             for seed in range(15)]  # fmt: skip
    assert all(worse == {SUCCESS} for _, worse in fired)
    assert 100 <= statistics.median(n for n, _ in fired) <= 400


@pytest.mark.parametrize(
    ("seen", "counts"),
    [
        pytest.param({"position": None}, (0, 0), id="without-a-receipt"),
        pytest.param({"position": 9}, (0, 0), id="before-the-previous-release"),
        pytest.param({"position": 10}, (1, 0), id="at-the-previous-release"),
        pytest.param({"position": 14}, (1, 0), id="where-a-rollback-led-to"),
        pytest.param({"position": 15}, (0, 0), id="undone"),
        pytest.param({"position": 18}, (1, 0), id="at-the-rollback"),
        pytest.param({"position": 20}, (0, 1), id="at-the-current-release"),
        pytest.param({"position": 99}, (0, 1), id="after-it"),
        pytest.param({"position": 99, "held_out": True, "holdout": 0.1}, (0, 0), id="held-out"),
    ],
)
def test_a_task_counts_for_the_release_its_receipt_names(seen: dict[str, int], counts: tuple[int, int]) -> None:
    samples = Samples(start=10, turn=20, undone=((14, 18),))
    samples.add(Observation(episode_id="e", success=True, **seen))  # type: ignore[arg-type]
    assert (samples.previous.tasks, samples.current.tasks) == counts


def test_what_nobody_judged_or_timed_counts_for_errors_alone() -> None:
    made = Sample()
    made.add(Observation(episode_id="e", failed=True))
    assert (made.tasks, made.failed, made.judged, made.seconds, made.p95) == (1, 1, 0, [], None)
