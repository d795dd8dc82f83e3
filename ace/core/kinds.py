"""Kinds of task: tasks that mean about the same are of one kind, so that many of one kind count as one voice.

    mark          64 bits of a task's embedding: on which side of each of 64 fixed planes it lies (SimHash: Charikar,
                  "Similarity estimation techniques from rounding algorithms", STOC 2002)
    distance      bits that differ; 64 a / pi on average for two embeddings at the angle a
    same kind     at most SAME_KIND bits: a cosine of about 0.7 and more

A mark is 16 hexadecimal digits, small enough for the journal; the kinds are counted from the marks, in the order of the
journal: a task is of the first kind whose first task it is near, else it opens a new one.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

BITS = 64
SAME_KIND = 16


def mark(embedding: npt.NDArray[np.float32]) -> str:
    """The mark of a task whose embedding is float32[d]."""
    sides = _planes(len(embedding)) @ embedding > 0
    return np.packbits(sides).tobytes().hex()


def distance(one: str, other: str) -> int:
    """How many bits of two marks differ, 0..64."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


class Kinds:
    """The kinds of task seen so far."""

    def __init__(self) -> None:
        self._first: list[int] = []

    def of(self, mark: str | None) -> str:
        """The name of the kind a task is of; tasks without a mark are of one kind."""
        if mark is None:
            return "unknown"
        own = int(mark, 16)
        for number, first in enumerate(self._first):
            if (own ^ first).bit_count() <= SAME_KIND:
                return f"kind-{number}"
        self._first.append(own)
        return f"kind-{len(self._first) - 1}"


@lru_cache(maxsize=4)
def _planes(dimensions: int) -> npt.NDArray[np.float32]:
    """64 directions of +1 and -1, the same on every machine: the bits of a hash."""
    drawn = hashlib.shake_256(b"ace kinds of task").digest(-(-BITS * dimensions // 8))
    bits = np.unpackbits(np.frombuffer(drawn, dtype=np.uint8))[: BITS * dimensions]
    return (bits.astype(np.float32) * 2 - 1).reshape(BITS, dimensions)
