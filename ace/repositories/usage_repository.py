"""What domains have spent on language models, a row a day: `ace.core.ports.UsageStore`."""

from __future__ import annotations

from collections.abc import Sequence

from ace.models.journal import Position
from ace.models.usage import DayUsage, Spent
from ace.repositories import statements
from ace.repositories.database import Database, get_database
from ace.repositories.schema import require_head


class UsageRepository:
    """Without a database: the one the settings name. Raises StoreUnavailable, SchemaMismatch."""

    def __init__(self, database: Database | None = None) -> None:
        self._database = require_head(database or get_database())

    def add(self, domain_id: str, day: str, spent: Spent) -> None:
        """Add to a day's row, in one statement: two who add at once lose nothing. Durable when it returns."""
        new = Position()
        with self._database.transaction() as session:
            session.run(statements.FOUND_DOMAIN, domain_id=domain_id, seq=new.seq, head_hash=new.hash,
                        dimensions=None, created_at=None)  # fmt: skip
            session.run(statements.SPEND, domain_id=domain_id, day=day, calls=spent.calls, tokens=spent.tokens,
                        cost_usd=spent.cost_usd)  # fmt: skip

    def spent(self, domain_id: str, day: str) -> Spent:
        """What the domain has spent on this day."""
        rows = self._database.rows(statements.SPENT, domain_id=domain_id, day=day)
        return _spent(*rows[0]) if rows else Spent()

    def days(self, domain_id: str | None = None, *, limit: int) -> Sequence[DayUsage]:
        """The latest days on which anything was spent, the last first."""
        rows = self._database.rows(statements.SPENT_DAYS, domain_id=domain_id, limit=limit)
        return [DayUsage(domain_id=own, day=day, spent=_spent(*figures)) for own, day, *figures in rows]


def _spent(calls: int, tokens: int, cost_usd: float) -> Spent:
    return Spent(calls=calls, tokens=tokens, cost_usd=cost_usd)
