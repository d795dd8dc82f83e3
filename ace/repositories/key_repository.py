"""API keys and shared secrets in the database: `ace.core.ports.KeyStore` and `Secrets`."""

from __future__ import annotations

from ace.models.access import ApiKey
from ace.repositories import statements
from ace.repositories.database import Database, get_database
from ace.repositories.rows import key_from_row, key_to_row
from ace.repositories.schema import require_head


class KeyRepository:
    """One row per key. Without a database: the one the settings name. Nothing is asked of it before a method is called.

    Every method raises StoreUnavailable, SchemaMismatch.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._named = database

    @property
    def _database(self) -> Database:
        return require_head(self._named or get_database())

    def add(self, key: ApiKey) -> bool:
        """Keep a new key; durable when it returns. False, and nothing is changed, when there is one of this id."""
        with self._database.transaction() as session:
            return bool(session.rows(statements.ADD_KEY, **key_to_row(key)))

    def get(self, key_id: str) -> ApiKey | None:
        """The key, or None."""
        rows = self._database.rows(statements.KEY, id=key_id)
        return key_from_row(rows[0]) if rows else None

    def all(self) -> list[ApiKey]:
        """Every key there ever was, oldest first."""
        return [key_from_row(row) for row in self._database.rows(statements.KEYS)]

    def revoke(self, key_id: str, at: float) -> bool:
        """Mark it revoked, the first time counts; False when there is none."""
        with self._database.transaction() as session:
            session.run(statements.REVOKE_KEY, id=key_id, at=at)
            return bool(session.rows(statements.KEY, id=key_id))

    def any(self) -> bool:
        """Whether a key was ever made."""
        return bool(self._database.rows(statements.ANY_KEY))


class SecretRepository:
    """One row per secret. Without a database: the one the settings name."""

    def __init__(self, database: Database | None = None) -> None:
        self._database = require_head(database or get_database())

    def get(self, name: str, new: str) -> str:
        """The secret of this name, shared by every process; `new` becomes it when there is none yet."""
        rows = self._database.rows(statements.SECRET, name=name)
        if not rows:
            with self._database.transaction() as session:
                session.run(statements.ADD_SECRET, name=name, value=new)
                rows = session.rows(statements.SECRET, name=name)
        return str(rows[0][0])
