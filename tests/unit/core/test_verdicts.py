"""Fates become shares, and shares are held against the goals."""

from __future__ import annotations

from ace.core.verdicts import kind_results, reached
from ace.models.simulation import Fate, Planted


def fates(kind: str, effect: float, *each: dict[str, int]) -> list[Fate]:
    return [
        Fate(bullet=Planted(id=f"{kind}-{i}", kind=kind, effect=effect), pairs=240, **at) for i, at in enumerate(each)
    ]


def test_a_kind_is_counted_in_time_and_ever() -> None:
    (strong,) = kind_results(fates("strong", 0.15, {"prod_at": 100}, {"prod_at": 130}, {}, {}))
    assert (strong.prod.value, strong.prod_in_time.value, strong.median_pairs_to_prod) == (0.5, 0.25, 115.0)
    assert strong.median_pairs_to_quarantine is None


def test_each_goal_is_reached_or_missed_by_its_own_figure() -> None:
    found = kind_results([
        *fates("strong", 0.15, *[{"prod_at": 90}] * 8, {}, {}),
        *fates("placebo", 0.0, {"prod_at": 200}, *[{}] * 9),
        *fates("harmful", -0.1, *[{"quarantined_at": 30}] * 9, {"quarantined_at": 241}),
    ])  # fmt: skip
    assert [goal.reached for goal in reached(found)] == [True, False, True, True]


def test_where_nothing_was_replayed_there_is_no_median() -> None:
    fate = Fate(bullet=Planted(id="a", kind="strong", effect=0.15), prod_at=0)
    assert kind_results([fate])[0].median_pairs_to_prod is None
