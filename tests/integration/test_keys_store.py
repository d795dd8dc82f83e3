"""API keys and shared secrets: the same contract in memory, in SQLite and in Postgres."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ace.core.ports import KeyStore, Secrets
from ace.errors import StoreUnavailable
from ace.models.access import ApiKey, Role
from ace.repositories import schema
from ace.repositories.database import Database
from ace.repositories.key_repository import KeyRepository, SecretRepository
from ace.testing.keys import InMemoryKeys, InMemorySecrets

ONE = ApiKey(id="one", secret_hash="0" * 64, role=Role.WRITE, domains=("a", "b"), label="CI", created_at=1.5)
TWO = ApiKey(id="two", secret_hash="f" * 64, role=Role.ADMIN, created_at=2.5, expires_at=99.0)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def stores(request: pytest.FixtureRequest) -> tuple[KeyStore, Secrets]:
    if request.param == "memory":
        return InMemoryKeys(), InMemorySecrets()
    database = schema.require_head(Database(request.getfixturevalue(f"{request.param}_url")))
    request.addfinalizer(database.close)
    return KeyRepository(database), SecretRepository(database)


def test_a_key_comes_back_as_it_was_kept(stores: tuple[KeyStore, Secrets]) -> None:
    keys, _ = stores
    assert (keys.any(), keys.all(), keys.get("one")) == (False, [], None)
    assert (keys.add(TWO), keys.add(ONE)) == (True, True)
    assert keys.add(replace(ONE, secret_hash="e" * 64)) is False
    assert (keys.any(), keys.all(), keys.get("one")) == (True, [ONE, TWO], ONE)


def test_the_first_revocation_counts_and_an_unknown_key_has_none(stores: tuple[KeyStore, Secrets]) -> None:
    keys, _ = stores
    keys.add(ONE)
    assert (keys.revoke("one", 5.0), keys.revoke("one", 6.0), keys.revoke("none", 5.0)) == (True, True, False)
    revoked = keys.get("one")
    assert revoked is not None
    assert revoked.revoked_at == 5.0
    assert not revoked.is_live(4.0)


def test_a_database_that_is_away_is_not_asked_before_a_key_is() -> None:
    """Whoever only remembers keys never waits for it."""
    keys = KeyRepository(Database("postgresql://127.0.0.1:9/nowhere"))
    with pytest.raises(StoreUnavailable):
        keys.any()


def test_a_secret_is_the_first_one_anybody_proposed(stores: tuple[KeyStore, Secrets]) -> None:
    _, secrets = stores
    assert secrets.get("receipts", "mine") == "mine"
    assert secrets.get("receipts", "yours") == "mine"
