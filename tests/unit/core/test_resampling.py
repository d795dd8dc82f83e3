"""Means of grouped observations: what is wider where groups agree with themselves, and what stays."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.resampling import averaged, clustered, wider
from ace.core.statistics import share
from ace.models.run import Interval

VALUES = st.dictionaries(st.text(min_size=1, max_size=3), st.lists(st.sampled_from([0.0, 1.0]), min_size=1), min_size=1)


@given(VALUES)
def test_the_mean_lies_in_its_interval_and_within_what_was_seen(groups: dict[str, list[float]]) -> None:
    values = [value for group in groups.values() for value in group]
    found = clustered(groups)
    assert found.value == pytest.approx(sum(values) / len(values))
    assert min(values) <= found.low <= found.value <= found.high <= max(values)
    assert found == clustered(groups), "drawn from a fixed seed"


def test_groups_of_one_give_about_the_textbooks_interval() -> None:
    groups = {str(number): [float(number % 4 == 0)] for number in range(400)}
    found, half = clustered(groups), 1.96 * math.sqrt(0.25 * 0.75 / 400)
    assert (found.low, found.high) == (pytest.approx(0.25 - half, abs=0.01), pytest.approx(0.25 + half, abs=0.01))


def test_what_only_repeats_itself_is_no_more_than_said_once() -> None:
    once = {str(number): [float(number % 4 == 0)] for number in range(40)}
    often = {name: values * 10 for name, values in once.items()}
    assert clustered(often).low == pytest.approx(clustered(once).low)
    assert wider(share(100, 400), clustered(often)).low < share(100, 400).low, "ten times the seeds are no ten tasks"


def test_no_disagreement_is_no_certainty() -> None:
    alike = clustered({str(number): [1.0] for number in range(10)})
    assert (alike.low, alike.high) == (1.0, 1.0)
    assert wider(share(10, 10), alike).low == share(10, 10).low < 0.75


def test_an_average_is_surer_than_its_parts() -> None:
    parts = [Interval(value=0.2, low=0.1, high=0.4, n=50), Interval(value=0.6, low=0.5, high=0.7, n=30)]
    found = averaged(parts)
    assert (found.value, found.n) == (pytest.approx(0.4), 80)
    assert found.low == pytest.approx(0.4 - math.hypot(0.1, 0.1) / 2)
    assert found.high == pytest.approx(0.4 + math.hypot(0.2, 0.1) / 2)
    (alone,) = parts[:1]
    same = averaged([alone])
    assert (same.value, same.low, same.high) == pytest.approx((alone.value, alone.low, alone.high))


@pytest.mark.parametrize("nothing", [clustered, averaged])
def test_nothing_has_no_mean(nothing: object) -> None:
    with pytest.raises(ValueError, match=r"^no "):
        nothing([])  # type: ignore[operator]
