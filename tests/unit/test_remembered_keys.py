"""While the store of keys is away, what it said within the last minute holds, and what it did not say is not let in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ace.errors import StoreUnavailable, Unauthenticated
from ace.models.access import Principal, Role
from ace.services.keys import REMEMBERED_KEYS, REMEMBERED_S, TRUSTED_S, Keys
from ace.testing.clock import FrozenClock
from ace.testing.keys import InMemoryKeys

AWAY = StoreUnavailable("away")


class World:
    """A process that looks keys up, and one key that another process made."""

    def __init__(self) -> None:
        self.clock, self.store = FrozenClock(), InMemoryKeys()
        elsewhere = Keys(self.store, self.clock, lambda size: b"\1" * size)
        self.key, token = elsewhere.create(Principal(), role=Role.READ, expires_in_s=TRUSTED_S)
        self.token = str(token)
        self.keys = Keys(self.store, self.clock, lambda size: b"\2" * size)


@pytest.fixture
def world() -> World:
    return World()


def test_a_key_looked_up_lately_is_known_without_the_store(world: World) -> None:
    world.keys.authenticate(world.token)
    world.store.outage = AWAY
    world.clock.advance(REMEMBERED_S + 1)
    assert world.keys.authenticate(world.token, remembered=True) == world.key.principal
    with pytest.raises(StoreUnavailable):
        world.keys.authenticate(world.token)


def test_a_key_never_looked_up_is_not_known(world: World) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be checked now"):
        world.keys.authenticate(world.token, remembered=True)


def test_after_a_minute_it_is_not_known_any_more(world: World) -> None:
    world.keys.authenticate(world.token)
    world.clock.advance(TRUSTED_S + 0.1)
    with pytest.raises(StoreUnavailable):
        world.keys.authenticate(world.token, remembered=True)


def test_it_ends_when_it_expires_whatever_is_remembered(world: World) -> None:
    world.keys.authenticate(world.token)
    world.clock.advance(TRUSTED_S)
    with pytest.raises(Unauthenticated):
        world.keys.authenticate(world.token, remembered=True)


def test_another_secret_for_a_known_key_is_not_let_in(world: World) -> None:
    world.keys.authenticate(world.token)
    with pytest.raises(Unauthenticated):
        world.keys.authenticate(world.token[:-4] + "aaaa", remembered=True)


def test_a_revocation_that_was_seen_is_remembered(world: World) -> None:
    world.keys.authenticate(world.token)
    world.keys.revoke(Principal(), world.key.id)
    with pytest.raises(Unauthenticated):
        world.keys.authenticate(world.token, remembered=True)


def test_keys_that_do_not_exist_do_not_push_out_those_that_do(world: World) -> None:
    world.keys.authenticate(world.token)
    _, own, secret = world.token.split("_")
    for number in range(2 * REMEMBERED_KEYS):
        other = f"{number:o}".translate(str.maketrans("01", "ab")).rjust(len(own), "z")
        with pytest.raises(Unauthenticated):
            world.keys.authenticate(f"ace_{other}_{secret}")
    assert world.keys.authenticate(world.token, remembered=True) == world.key.principal


def test_threads_may_look_keys_up_while_memory_is_full(world: World) -> None:
    """None of them trips over what another adds meanwhile."""
    _, own, secret = world.token.split("_")

    def stranger(number: int) -> str:
        other = f"{number:o}".translate(str.maketrans("01", "ab")).rjust(len(own), "z")
        with pytest.raises(Unauthenticated):
            world.keys.authenticate(f"ace_{other}_{secret}")
        return other

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(stranger, range(3 * REMEMBERED_KEYS)))) == 3 * REMEMBERED_KEYS


def test_whether_there_are_keys_is_remembered_as_long(world: World) -> None:
    empty = Keys(InMemoryKeys(), world.clock, lambda size: b"\3" * size)
    with pytest.raises(StoreUnavailable):
        empty.exist(remembered=True)
    assert empty.exist() is empty.exist(remembered=True) is False
    world.clock.advance(TRUSTED_S + 0.1)
    with pytest.raises(StoreUnavailable):
        empty.exist(remembered=True)


def test_that_there_are_keys_is_never_forgotten(world: World) -> None:
    assert world.keys.exist()
    world.store.outage = AWAY
    world.clock.advance(1e6)
    assert world.keys.exist() and world.keys.exist(remembered=True)
