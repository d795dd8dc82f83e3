"""The breakers' rows, shared by every process. What a row should become is decided in `ace.core.breaker`.

A breaker stands in front of every model call, so nothing here waits long, and a commit does not wait for the disk:
a power cut may forget the last outcomes, which are stale by then.
"""

from __future__ import annotations

from collections.abc import Callable

from ace.core.breaker import Breaker
from ace.repositories import statements
from ace.repositories.database import Database, get_database
from ace.repositories.rows import breaker_from_row, breaker_to_row
from ace.repositories.schema import require_head

PATIENCE_S = 1.0


class BreakerRepository:
    """One row per breaker. Without a database: the one the settings name.

    Every method raises StoreUnavailable when the database is away or stays locked for PATIENCE_S seconds.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database = require_head(database or get_database()).brisk(PATIENCE_S)

    def load(self, name: str) -> Breaker:
        """The breaker's row; a closed one when nobody has used it yet."""
        rows = self._database.rows(statements.BREAKER, name=name)
        return breaker_from_row(rows[0]) if rows else Breaker(name=name)

    def all(self) -> list[Breaker]:
        """Every breaker there is, by name."""
        return sorted(map(breaker_from_row, self._database.rows(statements.BREAKERS)), key=lambda row: row.name)

    def update(self, name: str, decide: Callable[[Breaker], Breaker]) -> tuple[Breaker, Breaker]:
        """Replace the row by `decide(row)`, atomically over all processes; the row before and after."""
        with self._database.transaction() as session:
            rows = session.rows(statements.LOCK_BREAKER, name=name)
            if not rows:
                session.run(statements.FOUND_BREAKER, **breaker_to_row(Breaker(name=name)))
                rows = session.rows(statements.LOCK_BREAKER, name=name)
            before = breaker_from_row(rows[0])
            after = decide(before)
            if after != before:
                session.run(statements.SET_BREAKER, **breaker_to_row(after))
        return before, after
