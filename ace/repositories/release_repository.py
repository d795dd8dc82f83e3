"""Names for positions of journals, in the database: `ace.core.ports.ReleaseStore`."""

from __future__ import annotations

from ace.models.release import Release
from ace.repositories import statements
from ace.repositories.database import Database, Row, get_database
from ace.repositories.schema import require_head


class ReleaseRepository:
    """One row per release. Without a database: the one the settings name. Raises StoreUnavailable, SchemaMismatch."""

    def __init__(self, database: Database | None = None) -> None:
        self._database = require_head(database or get_database())

    def add(self, release: Release) -> Release:
        """Keep a new release, or find the one of that name; durable when it returns."""
        with self._database.transaction() as session:
            session.run(statements.ADD_RELEASE, **release.to_json())
            rows = session.rows(statements.RELEASE_NAMED, domain_id=release.domain_id, name=release.name)
        return _release(rows[0])

    def get(self, domain_id: str, name: str) -> Release | None:
        """The release, or None."""
        rows = self._database.rows(statements.RELEASE_NAMED, domain_id=domain_id, name=name)
        return _release(rows[0]) if rows else None

    def all(self, domain_id: str) -> list[Release]:
        """Every release of a domain, oldest first."""
        return [_release(row) for row in self._database.rows(statements.RELEASES, domain_id=domain_id)]


def _release(row: Row) -> Release:
    domain_id, name, position, own, note, created_at = row
    return Release(domain_id=domain_id, name=name, position=position, hash=own, note=note, created_at=created_at)
