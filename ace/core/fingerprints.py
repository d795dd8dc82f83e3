"""Whether two sets of rows are the same, without holding them: per table and domain, a count and a sum of hashes.

    fingerprint = (rows, SHA-256 of each row's canonical JSON, added up modulo 2^256)

The order of the rows does not matter, since databases sort text differently; every value of every column does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from ace.models.backup import Fingerprint, Page, Part, Values

MODULUS = 2**256
_text = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Fingerprints:
    """The fingerprints of the pages taken in so far."""

    def __init__(self) -> None:
        self._found: dict[Part, tuple[int, int]] = {}

    def take(self, page: Page) -> None:
        """Count these rows in."""
        of_domains = page.columns[:1] == ("domain_id",)
        for row in page.rows:
            part = (page.table, row[0] if of_domains else "")
            rows, total = self._found.get(part, (0, 0))
            self._found[part] = (rows + 1, (total + row_number(row)) % MODULUS)

    def all(self) -> dict[Part, Fingerprint]:
        return {part: Fingerprint(rows=rows, total=total) for part, (rows, total) in self._found.items()}


def fingerprints(pages: Iterable[Page]) -> dict[Part, Fingerprint]:
    """The fingerprints of all these pages."""
    found = Fingerprints()
    for page in pages:
        found.take(page)
    return found.all()


def row_number(row: Values) -> int:
    """A number that stands for all of a row's values."""
    return int.from_bytes(hashlib.sha256(_text(row).encode()).digest())


def difference(expected: Mapping[Part, Fingerprint], found: Mapping[Part, Fingerprint]) -> str:
    """Where two sets of rows differ first, in words; empty when they are the same."""
    for part in sorted(expected.keys() | found.keys()):
        left, right = expected.get(part, Fingerprint()), found.get(part, Fingerprint())
        if left != right:
            table, domain = part
            where = f"{table} of domain {domain}" if domain else table
            return f"{where}: {left.rows} rows expected, {right.rows} found" + (
                ", and their values differ" if left.rows == right.rows else ""
            )
    return ""
