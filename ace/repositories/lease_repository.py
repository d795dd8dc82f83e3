"""Leases in the database: at most one process leads, and when it dies another does so soon.

A lease is one row, taken or renewed by one statement, so two processes never both get it. Times are the callers':
their clocks must agree to within a small part of the lease.
"""

from __future__ import annotations

from ace.repositories import statements
from ace.repositories.database import Database, get_database
from ace.repositories.schema import require_head

PATIENCE_S = 2.0


class LeaseRepository:
    """`ace.core.ports.Leases`. Without a database: the one the settings name.

    Every method raises StoreUnavailable when the database is away or stays locked for PATIENCE_S seconds.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database = require_head(database or get_database()).brisk(PATIENCE_S)

    def acquire(self, name: str, holder: str, *, now: float, seconds: float) -> bool:
        """Take a lease that is free or has run out, or renew one's own; False while another holds it."""
        with self._database.transaction() as session:
            values = {"name": name, "holder": holder, "until": now + seconds, "now": now}
            return bool(session.rows(statements.ACQUIRE, **values))

    def release(self, name: str, holder: str) -> None:
        """Give one's own lease back; another's stays."""
        with self._database.transaction() as session:
            session.run(statements.RELEASE, name=name, holder=holder)

    def holder(self, name: str, *, now: float) -> str | None:
        """Who holds it now."""
        rows = self._database.rows(statements.HOLDER, name=name, now=now)
        return str(rows[0][0]) if rows else None
