"""A chart is a table of numbers: the page shows the table, and a script draws what stands in it.

lines    each further column is a line over the first
bars     each row is a bar of the second column, named by the first
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

Cell = str | int | float | None
ROWS = 120  # points drawn; a table of more is no help to anybody


class Kind(StrEnum):
    """How it is drawn."""

    LINES = "lines"
    BARS = "bars"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """`says` is what one sees in it, in a sentence; `unit` stands at the axis."""

    name: str
    title: str
    says: str
    kind: Kind
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    unit: str = ""


def thinned(rows: Sequence[tuple[Cell, ...]], most: int = ROWS) -> tuple[tuple[Cell, ...], ...]:
    """The rows, or so many of them at even distances, the last one included."""
    if len(rows) <= most:
        return tuple(rows)
    step = (len(rows) - 1) / (most - 1)
    return tuple(rows[round(place * step)] for place in range(most))
