"""All vectors of a domain at one moment, a page at a time: what an index is built from, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ace.core.ports import Vectors
from ace.models.journal import Position
from ace.models.playbook import PlaybookStage

Page = tuple[list[str], list[PlaybookStage], Vectors]


@dataclass(frozen=True, kw_only=True, slots=True)
class VectorScan:
    """`count` bullets as of `position`; iterate it once, for pages of (ids, stages, float32[n, d]) ordered by id."""

    position: Position
    count: int
    pages: Iterator[Page]

    def __iter__(self) -> Iterator[Page]:
        return self.pages
