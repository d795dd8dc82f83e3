"""The playbook in a database: `ace.core.ports.PlaybookStore`. Every statement is about one domain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ace.core.ports import BulletFilter, Listed, Vectors
from ace.core.validation import check_domain
from ace.errors import NotFound
from ace.models.journal import Entry, Position
from ace.models.playbook import Bullet, Link, PlaybookStage
from ace.repositories import statements
from ace.repositories.database import Database, Session, get_database
from ace.repositories.playbook_transaction import EVERY, PlaybookTransaction
from ace.repositories.rows import STAGES, bullet_from_row, contains, entry_from_row, listed, listed_from_row
from ace.repositories.schema import require_head
from ace.repositories.vector_scan import Page, VectorScan
from ace.repositories.vectors import unpack


class PlaybookRepository:
    """Bullets, journal and vectors of every domain. Without a database: the one the settings name.

    Raises StoreUnavailable when the database is away, SchemaMismatch when it is not at this release's schema.
    Safe to share between threads and over a fork; a read sees every write that any process has committed.
    `committed` is told what each transaction has journalled, once it is durable.
    """

    def __init__(
        self, database: Database | None = None, *, committed: Callable[[Sequence[Entry]], None] | None = None
    ) -> None:
        self._database = require_head(database or get_database())
        self._committed = committed

    def domains(self) -> list[str]:
        """Every domain that has a journal, sorted."""
        return sorted(row[0] for row in self._database.rows(statements.DOMAINS))

    def counts(self) -> dict[str, dict[PlaybookStage, int]]:
        """How many bullets each stage of each domain that has a journal holds."""
        found: dict[str, list[tuple[str, int]]] = {own: [] for own in self.domains()}
        for own, stage, count in self._database.rows(statements.COUNT_ALL):
            found.setdefault(own, []).append((stage, count))
        return {own: _counts(rows) for own, rows in found.items()}

    def page(self, domain_id: str, wanted: BulletFilter, *, limit: int, before: int | None = None) -> list[Listed]:
        """Bullets that fit the filter, the newest first; `before` is the `born_seq` of the last one seen."""
        values = {
            "stage": wanted.stage.value if wanted.stage else None,
            "section": wanted.section.value if wanted.section else None,
            "pattern": contains(wanted.text) if wanted.text else None,
            "before": EVERY if before is None else before,
        }
        rows = self._database.rows(statements.PAGE, domain_id=domain_id, limit=limit, **values)
        return [listed_from_row(domain_id, row) for row in rows]

    def history(self, domain_id: str, bullet_id: str) -> list[Entry]:
        """The journal's entries about one bullet, and the rollbacks, in order."""
        rows = self._database.rows(statements.HISTORY, domain_id=domain_id, pattern=contains(f'"{bullet_id}"'))
        return [entry_from_row(domain_id, row) for row in rows]

    def head(self, domain_id: str) -> Position:
        """The journal's head; position 0 for a domain nobody wrote to."""
        return _position(self._database.rows(statements.HEAD, domain_id=domain_id))

    def get(self, domain_id: str, bullet_id: str) -> Bullet | None:
        """The bullet, or None."""
        rows = self._database.rows(statements.GET, domain_id=domain_id, id=bullet_id)
        return bullet_from_row(domain_id, rows[0]) if rows else None

    def get_many(self, domain_id: str, ids: Sequence[str]) -> list[Bullet]:
        """The bullets of these ids that exist, in the order asked for."""
        rows = self._database.rows(statements.GET_MANY, domain_id=domain_id, listed=listed(ids)) if ids else []
        found = {row[0]: bullet_from_row(domain_id, row) for row in rows}
        return [found[own] for own in ids if own in found]

    def get_all(self, domain_id: str, stage: PlaybookStage | None = None) -> list[Bullet]:
        """Every bullet, or every one of a stage; oldest first."""
        if stage is None:
            rows = self._database.rows(statements.GET_ALL, domain_id=domain_id)
        else:
            rows = self._database.rows(statements.GET_STAGE, domain_id=domain_id, stage=PlaybookStage(stage).value)
        return [bullet_from_row(domain_id, row) for row in rows]

    def count_by_stage(self, domain_id: str) -> dict[PlaybookStage, int]:
        """How many bullets each stage holds (every stage is a key)."""
        return _counts(self._database.rows(statements.COUNT_BY_STAGE, domain_id=domain_id))

    def links(self, domain_id: str) -> set[Link]:
        """The known contradictions."""
        return {
            Link(left=left, right=right) for left, right in self._database.rows(statements.LINKS, domain_id=domain_id)
        }

    def vectors(self, domain_id: str, ids: Sequence[str]) -> Vectors:
        """The stored vectors of these bullets, `float32[len(ids), d]`. Raises NotFound for one that has none."""
        rows = self._database.rows(statements.VECTORS, domain_id=domain_id, listed=listed(ids)) if ids else []
        found: dict[str, bytes] = dict(rows)
        missing = [own for own in ids if own not in found]
        if missing:
            raise NotFound(f"There is no vector of {missing[0]} in domain {domain_id}.")
        return unpack([found[own] for own in ids])

    def entries(self, domain_id: str, *, after: int = 0, limit: int | None = None) -> list[Entry]:
        """The journal's entries with `seq > after`, in order."""
        most = EVERY if limit is None else limit
        rows = self._database.rows(statements.ENTRIES, domain_id=domain_id, after=after, limit=most)
        return [entry_from_row(domain_id, row) for row in rows]

    @contextmanager
    def iter_vectors(self, domain_id: str, *, batch: int = 4096) -> Iterator[VectorScan]:
        """All vectors in pages of at most `batch`, all as of one position, while others go on writing."""
        with self._database.snapshot() as session:
            position = _position(session.rows(statements.HEAD, domain_id=domain_id))
            count = sum(_counts(session.rows(statements.COUNT_BY_STAGE, domain_id=domain_id)).values())
            yield VectorScan(position=position, count=count, pages=_pages(session, domain_id, batch))

    @contextmanager
    def transaction(self, domain_id: str) -> Iterator[PlaybookTransaction]:
        """Hold the domain for writing; commits at the end, or leaves no trace when an error passes through."""
        check_domain(domain_id)
        with self._database.transaction() as session:
            transaction = PlaybookTransaction(session, domain_id)
            yield transaction
        if self._committed:
            self._committed(transaction.entries)


def _pages(session: Session, domain_id: str, batch: int) -> Iterator[Page]:
    after = ""
    while rows := session.rows(statements.VECTOR_PAGE, domain_id=domain_id, after=after, limit=batch):
        ids, stages, packed = zip(*rows, strict=True)
        yield list(ids), [STAGES[stage] for stage in stages], unpack(packed)
        after = ids[-1]


def _position(rows: Sequence[tuple[int, str, int | None]]) -> Position:
    return Position(seq=rows[0][0], hash=rows[0][1]) if rows else Position()


def _counts(rows: Sequence[tuple[str, int]]) -> dict[PlaybookStage, int]:
    counted = {STAGES[stage]: count for stage, count in rows}
    return {stage: counted.get(stage, 0) for stage in PlaybookStage}
