"""Tokens: what a new one looks like, what is taken for one, what is stored of it."""

from __future__ import annotations

import os

import pytest

from ace.core.keys import ID_BYTES, SECRET_BYTES, matches, parse, secret_hash, token
from ace.models.access import Principal, Role


def test_a_token_has_256_random_bits_and_is_read_as_it_was_written() -> None:
    made = token(os.urandom(ID_BYTES + SECRET_BYTES))
    assert parse(str(made)) == made
    assert len(made.secret) * 5 >= 256
    assert token(os.urandom(ID_BYTES + SECRET_BYTES)) != made


def test_its_secret_matches_its_hash_alone() -> None:
    made, other = (token(os.urandom(ID_BYTES + SECRET_BYTES)) for _ in range(2))
    assert matches(made.secret, secret_hash(made.secret))
    assert not matches(other.secret, secret_hash(made.secret))
    assert made.secret not in secret_hash(made.secret)


GOOD = str(token(bytes(ID_BYTES + SECRET_BYTES)))


@pytest.mark.parametrize("text", ["", "ace_", GOOD[:-1], GOOD + "\n", GOOD + "a", GOOD.upper(), GOOD.replace("a", "é")])
def test_nothing_else_is_a_token(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("own", "role", "domains", "allowed"),
    [
        pytest.param(Principal(), Role.ADMIN, None, True, id="admin-of-all-grants-all"),
        pytest.param(Principal(role=Role.WRITE), Role.READ, None, True, id="less"),
        pytest.param(Principal(role=Role.WRITE), Role.ADMIN, None, False, id="more"),
        pytest.param(Principal(domains=("a", "b")), Role.ADMIN, ("a",), True, id="its-own-domain"),
        pytest.param(Principal(domains=("a",)), Role.READ, ("a", "b"), False, id="another-domain"),
        pytest.param(Principal(domains=("a",)), Role.READ, None, False, id="all-domains"),
    ],
)
def test_nobody_grants_more_than_they_have(
    own: Principal, role: Role, domains: tuple[str, ...] | None, allowed: bool
) -> None:
    assert own.may_grant(role, domains) == allowed
