"""Fingerprints: equal for the same rows in any order and in any pages, different for any other rows."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from ace.core.fingerprints import difference, fingerprints
from ace.models.backup import Page, Values

VALUES = st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))
ROWS = st.lists(st.tuples(st.sampled_from(["a", "b"]), VALUES, VALUES).map(list), max_size=8)


def page(*rows: Values, table: str = "episodes") -> Page:
    return Page(table=table, columns=("domain_id", "x", "y"), rows=list(rows))


@given(rows=ROWS, data=st.data())
def test_neither_order_nor_pages_matter(rows: list[Values], data: st.DataObject) -> None:
    other, cut = data.draw(st.permutations(rows)), data.draw(st.integers(0, len(rows)))
    found = fingerprints([page(*other[:cut]), page(*other[cut:])])
    assert difference(fingerprints([page(*rows)]), found) == ""


@given(rows=ROWS, other=ROWS)
def test_other_rows_differ(rows: list[Values], other: list[Values]) -> None:
    def told_apart(row: Values) -> str:
        return repr(row)

    assume(sorted(map(told_apart, rows)) != sorted(map(told_apart, other)))
    assert difference(fingerprints([page(*rows)]), fingerprints([page(*other)])) != ""


def test_the_difference_names_table_and_domain() -> None:
    one, two = page(["a", 1, 1]), page(["a", 1, 1], ["b", 2, 2])
    cases: list[tuple[Page, Page, str]] = [
        (one, two, "episodes of domain b: 0 rows expected, 1 found"),
        (
            page(["a", 1, 1]),
            page(["a", 1, 2]),
            "episodes of domain a: 1 rows expected, 1 found, and their values differ",
        ),
        (page(["a", 1, 1], ["a", 1, 1]), one, "episodes of domain a: 2 rows expected, 1 found"),
    ]
    for left, right, words in cases:
        assert difference(fingerprints([left]), fingerprints([right])) == words


def test_a_table_of_no_domain_is_one_part() -> None:
    def leases(*rows: list[Any]) -> Page:
        return Page(table="leases", columns=("name", "holder"), rows=list(rows))

    assert list(fingerprints([leases(["a", "x"], ["b", "y"])])) == [("leases", "")]
