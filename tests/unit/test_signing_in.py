"""Signing in: a session lasts as long as its key, and half a day at most."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from ace.errors import Forbidden, Unauthenticated
from ace.models.access import Principal, Role
from ace.services.keys import REMEMBERED_S, Keys
from ace.services.sessions import LIFETIME_S, Sessions
from ace.testing.clock import FrozenClock
from ace.testing.keys import InMemoryKeys, InMemorySecrets


def numbered() -> Callable[[int], bytes]:
    """Bytes that are never twice the same."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(4, "big").rjust(size, b"\1")


class Desk:
    def __init__(self) -> None:
        self.clock, self.secrets = FrozenClock(), InMemorySecrets()
        self.keys = Keys(InMemoryKeys(), self.clock, numbered())
        self.sessions = Sessions(self.keys, self.secrets, self.clock, numbered())
        self.key, token = self.keys.create(Principal(), role=Role.REVIEW, domains=["a"], expires_in_s=1e6)
        assert token is not None
        self.token = token

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)


def test_whoever_signs_in_may_what_the_key_may() -> None:
    desk = Desk()
    assert desk.sessions.caller(desk.sessions.begin(desk.token)) == desk.key.principal


def test_the_cookie_holds_no_part_of_the_secret() -> None:
    desk = Desk()
    assert desk.token.split("_")[2] not in desk.sessions.begin(desk.token)


def test_another_process_with_the_same_secrets_knows_the_session() -> None:
    desk = Desk()
    other = Sessions(desk.keys, desk.secrets, desk.clock, numbered())
    assert other.caller(desk.sessions.begin(desk.token)) == desk.key.principal


@pytest.mark.parametrize("seconds", [pytest.param(LIFETIME_S - 1, id="in-time"), pytest.param(LIFETIME_S, id="over")])
def test_a_session_ends_by_itself(seconds: int) -> None:
    desk = Desk()
    cookie = desk.sessions.begin(desk.token)
    desk.wait(seconds)
    if seconds < LIFETIME_S:
        assert desk.sessions.caller(cookie).key_id == desk.key.id
    else:
        with pytest.raises(Unauthenticated, match="Sign in"):
            desk.sessions.caller(cookie)


def test_a_revoked_key_ends_its_sessions() -> None:
    desk = Desk()
    cookie = desk.sessions.begin(desk.token)
    desk.keys.revoke(Principal(), desk.key.id)
    desk.wait(2 * REMEMBERED_S)
    with pytest.raises(Unauthenticated):
        desk.sessions.caller(cookie)


def test_a_wrong_key_begins_nothing() -> None:
    with pytest.raises(Unauthenticated):
        Desk().sessions.begin("ace_wrong")


def test_a_form_shown_to_another_session_is_refused() -> None:
    desk = Desk()
    mine, other = desk.sessions.begin(desk.token), desk.sessions.begin(desk.token)
    desk.sessions.check_form(mine, desk.sessions.form_token(mine))
    for given in (desk.sessions.form_token(other), "", "é"):
        with pytest.raises(Forbidden, match="Reload"):
            desk.sessions.check_form(mine, given)
