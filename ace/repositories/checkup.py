"""What a check of the installation asks the database."""

from __future__ import annotations

from ace.repositories.database import Database, get_database
from ace.repositories.schema import require_head
from ace.repositories.statements import Statement, statement

_TIME = Statement(
    sqlite="SELECT (julianday('now') - 2440587.5) * 86400.0",
    postgresql="SELECT extract(epoch FROM clock_timestamp())",
)
_DIMENSIONS = statement("SELECT DISTINCT dimensions FROM domains WHERE dimensions IS NOT NULL")


class CheckupRepository:
    """Without a database: the one the settings name. Raises StoreUnavailable, SchemaMismatch."""

    def __init__(self, database: Database | None = None) -> None:
        self._database = require_head(database or get_database())

    def time(self) -> float:
        """What time it is there, in seconds since 1970."""
        return float(self._database.rows(_TIME)[0][0])

    def dimensions(self) -> list[int]:
        """How long the vectors are that it holds; more than one length where domains differ."""
        return [int(found) for (found,) in self._database.rows(_DIMENSIONS)]
