"""Order by seed: the same seed gives the same order on every machine and in every version of Python.

`random.shuffle` promises that only within one version; sorting by a hash promises it for good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Named(Protocol):
    """What is known by an id."""

    @property
    def id(self) -> str: ...


N = TypeVar("N", bound=Named)


def shuffled(tasks: Sequence[N], seed: int) -> list[N]:
    """The tasks in an order that depends on the seed and their ids alone."""
    return sorted(tasks, key=lambda task: hashlib.sha256(f"{seed}\0{task.id}".encode()).digest())


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Runs of `size` items, the last one maybe shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))
