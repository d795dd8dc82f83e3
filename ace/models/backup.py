"""A backup: every row of every table at one moment, in a file that says what it holds and proves it is whole.

header      what it is of: format, schema revision, release, time, tables and their columns, secrets or not
pages       the rows, table after table; values are JSON's (binary ones as base64, times as ISO 8601 in UTC)
summary     how many rows each table has, and each domain's journal head
seal        the sha256 of every byte before it
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ace.models.journal import Position

FORMAT = 1

Values = list[Any]
Part = tuple[str, str]
"""A table and a domain; the domain is empty for a table that is of no domain."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """The first line of a backup."""

    revision: str
    release: str
    created_at: str
    tables: dict[str, tuple[str, ...]]  # with the columns of each, in the order the rows are in
    secrets: bool = True
    format: int = FORMAT


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some rows of one table, in the order of its columns."""

    table: str
    columns: tuple[str, ...]
    rows: list[Values]


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The last line before the seal."""

    rows: dict[str, int]
    heads: dict[str, Position]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprint:
    """How many rows, and the sum of their hashes: equal for the same rows in any order."""

    rows: int = 0
    total: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What a domain's journal says the tables hold: its head, and the rows by table."""

    head: Position
    pages: tuple[Page, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """A backup that has been read whole and found sound."""

    header: Header
    sha256: str
    size: int
    summary: Summary
    fingerprints: dict[Part, Fingerprint] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A file in a place for backups. `modified` is ISO 8601 in UTC."""

    name: str
    size: int
    modified: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A backup that was written, read back from where it lies, and found sound."""

    url: str
    examined: Examined
    seconds: float
    pruned: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """A backup that was written into a database and read back from it."""

    place: str
    revision: str
    examined: Examined
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Drilled:
    """What a drill found; `fault` is empty when the restored playbook is the one that was saved."""

    source: str
    seconds: dict[str, float]
    rows: dict[str, int]
    searches: int = 0
    fault: str = ""
