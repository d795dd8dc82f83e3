"""Tasks that mean about the same are of one kind, on every machine."""

from __future__ import annotations

import numpy as np
import pytest

from ace.core.kinds import BITS, Kinds, distance, mark

RNG = np.random.default_rng(7)


def at_angle(degrees: float, dimensions: int = 384) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors with this angle between them."""
    one, other = RNG.standard_normal((2, dimensions)).astype(np.float32)
    one /= np.linalg.norm(one)
    other -= (other @ one) * one
    other /= np.linalg.norm(other)
    angle = np.radians(degrees)
    return one, (np.cos(angle) * one + np.sin(angle) * other).astype(np.float32)


@pytest.mark.parametrize("degrees", [0, 20, 45, 90, 135])
def test_the_distance_is_the_angle(degrees: float) -> None:
    found = [distance(*(mark(vector) for vector in at_angle(degrees))) for _ in range(200)]
    assert np.mean(found) == pytest.approx(BITS * degrees / 180, abs=1.5)


def test_a_mark_is_the_same_on_every_machine() -> None:
    vector = np.linspace(-1, 1, 384, dtype=np.float32)
    assert mark(vector) == "0038f6ebe7b39e7e"
    assert mark(3 * vector) == mark(vector)


def test_near_tasks_are_of_one_kind_and_far_ones_of_another() -> None:
    kinds = Kinds()
    first, near = at_angle(15)
    names = [kinds.of(mark(vector)) for vector in (first, near, -first, first)]
    assert names == ["kind-0", "kind-0", "kind-1", "kind-0"]
    assert kinds.of(None) == "unknown"
