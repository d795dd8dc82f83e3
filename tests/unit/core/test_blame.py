"""Blame by halving: the guilty are found in few runs, and no innocent is ever named."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.blame import Inquiry, Shown
from ace.models.replay import Finding, Guilt

MOST = 40
World = Callable[[Shown], bool]


def names(n: int) -> list[str]:
    return [f"b{number:02}" for number in range(n)]


def inquire(bullets: list[str], world: World) -> tuple[Finding, list[Shown]]:
    """Run an inquiry in a world; what it found, and what it asked."""
    asked: list[Shown] = []
    conversation = Inquiry(bullets).run()
    try:
        shown = next(conversation)
        while True:
            asked.append(shown)
            shown = conversation.send(world(shown))
    except StopIteration as end:
        found: Finding = end.value
    return found, asked


def broken_by(*causes: frozenset[str]) -> World:
    """Fails exactly when all bullets of a cause are shown."""
    return lambda shown: not any(cause <= set(shown) for cause in causes)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13, 31, 32, 33, 40])
def test_any_single_culprit_is_found_in_a_few_runs(n: int) -> None:
    for guilty in names(n):
        found, asked = inquire(names(n), broken_by(frozenset({guilty})))
        assert (found.guilt, found.causes) == (Guilt.FOUND, ((guilty,),))
        assert len(asked) <= 2 * math.ceil(math.log2(n)) + 3


def test_any_two_of_forty_that_break_a_task_only_together_are_found() -> None:
    bullets, most = names(MOST), 0
    for left in range(MOST):
        for right in range(left + 1, MOST):
            pair = frozenset({bullets[left], bullets[right]})
            found, asked = inquire(bullets, broken_by(pair))
            assert found.causes == (tuple(sorted(pair)),)
            most = max(most, len(asked))
    assert most <= 2 * MOST, most


def test_any_two_of_forty_that_each_break_a_task_are_found() -> None:
    bullets = names(MOST)
    for left in range(MOST):
        for right in range(left + 1, MOST):
            found, asked = inquire(bullets, broken_by(frozenset({bullets[left]}), frozenset({bullets[right]})))
            assert sorted(found.culprits) == [bullets[left], bullets[right]]
            assert len(asked) <= 4 * math.ceil(math.log2(MOST)) + 4


causes = st.lists(st.frozensets(st.sampled_from(names(MOST)), min_size=1, max_size=4), min_size=1, max_size=3)


@given(st.integers(1, MOST), causes)
def test_only_the_guilty_are_named(n: int, planted: list[frozenset[str]]) -> None:
    bullets = names(n)
    possible = [cause for cause in planted if cause <= set(bullets)]
    found, asked = inquire(bullets, broken_by(*possible))
    assert found.guilt == (Guilt.FOUND if possible else Guilt.SUCCEEDS)
    assert all(frozenset(cause) in possible for cause in found.causes)
    assert broken_by(*possible)(tuple(own for own in bullets if own not in found.culprits)), "the rest does no harm"
    assert len(set(asked)) == len(asked), "no set is asked about twice"


@given(st.integers(1, 12), st.integers(0, 2**32), st.floats(0.05, 0.95))
def test_in_any_world_each_named_bullet_is_needed_for_its_failure(n: int, seed: int, share: float) -> None:
    """Bullets may help, harm or undo each other: success is an arbitrary function of what is shown."""

    def world(shown: Shown) -> bool:
        digest = hashlib.sha256(f"{seed} {sorted(shown)}".encode()).digest()
        return not shown or int.from_bytes(digest[:4]) / 2**32 < share

    found, _ = inquire(names(n), world)
    assert found.guilt == (Guilt.SUCCEEDS if world(tuple(names(n))) else Guilt.FOUND)
    for cause in found.causes:
        assert not world(cause)
        assert all(world(tuple(own for own in cause if own != left_out)) for left_out in cause)


def test_bullets_are_not_blamed_for_what_fails_without_them() -> None:
    found, asked = inquire(names(8), lambda _: False)
    assert (found.guilt, found.causes, len(asked)) == (Guilt.FAILS_ANYWAY, (), 2)


def test_what_succeeds_is_asked_about_once() -> None:
    found, asked = inquire(names(8), lambda _: True)
    assert (found.guilt, found.causes, len(asked)) == (Guilt.SUCCEEDS, (), 1)


def test_an_inquiry_broken_off_says_where_the_guilty_are() -> None:
    inquiry = Inquiry(names(8))
    conversation = inquiry.run()
    world, shown = broken_by(frozenset({"b05"})), next(conversation)
    for _ in range(4):
        shown = conversation.send(world(shown))
    assert inquiry.so_far() == Finding(guilt=Guilt.OPEN, suspects=("b04", "b05", "b06", "b07"))
