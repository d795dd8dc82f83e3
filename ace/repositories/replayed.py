"""The rows a journal adds up to, which are what a backup must hold: `ace.core.backup_ports.Replayer`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Sequence
from typing import Any

from ace.core.journal import first_broken
from ace.core.ports import Vectors
from ace.errors import InvalidInput, SchemaMismatch
from ace.models.backup import Header, Page, Replayed, Values
from ace.models.journal import Position
from ace.repositories import schema
from ace.repositories.dump import KNOWN
from ace.repositories.rows import Row, entry_from_row
from ace.repositories.standing import standing_rows
from ace.repositories.vectors import unpack

JOURNAL = ("seq", "at", "kind", "body", "previous", "hash")  # as `entry_from_row` takes them


class JournalReplayer:
    """Reads the journal's rows as a backup has them."""

    def check(self, header: Header) -> None:
        """Raises SchemaMismatch for a backup with a table or a column that this release does not know."""
        known = {name: {column.name for column in table.columns} for name, table in KNOWN.items()}
        strange = [name for name, columns in header.tables.items() if not set(columns) <= known.get(name, set())]
        if header.revision not in schema.REVISIONS or strange:
            raise SchemaMismatch(
                f"The backup is of schema {header.revision} (release {header.release}), which this release does not "
                "know. Upgrade ACE, or restore it with the release it is of."
            )

    def vectors(self, page: Page) -> list[tuple[str, str, Vectors]]:
        """Domain, bullet and float32[d] of each row of a page of vectors."""
        domain, own, packed = (page.columns.index(name) for name in ("domain_id", "bullet_id", "vector"))
        return [(row[domain], row[own], unpack([b64decode(row[packed])])[0]) for row in page.rows]

    def replay(self, header: Header, domain_id: str, rows: Sequence[Values]) -> Replayed:
        """What these rows of a domain's journal add up to. Raises InvalidInput for a broken chain."""
        picks = [header.tables["playbook_journal"].index(name) for name in JOURNAL]
        try:
            return self._replayed(header, domain_id, [tuple(row[pick] for pick in picks) for row in rows])
        except (ValueError, LookupError, TypeError) as error:
            raise InvalidInput(f"domain {domain_id}", f"has an entry that cannot be read ({error!r})") from error

    def _replayed(self, header: Header, domain_id: str, rows: Sequence[Row]) -> Replayed:
        entries = [entry_from_row(domain_id, row) for row in rows]
        if broken := first_broken(entries):
            raise InvalidInput(f"domain {domain_id}", f"entry {broken.seq} ({broken.kind}) does not follow the chain")
        head = Position(seq=entries[-1].seq, hash=entries[-1].hash) if entries else Position()
        rows_of = standing_rows(domain_id, entries, head.seq)
        return Replayed(head=head, pages=tuple(_page(header, table, own) for table, own in rows_of.items()))


def _page(header: Header, table: str, rows: Iterable[dict[str, Any]]) -> Page:
    columns = header.tables[table]
    return Page(table=table, columns=columns, rows=[[row[name] for name in columns] for row in rows])
