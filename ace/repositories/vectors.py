"""Vectors as they are stored: float16, little endian; half the bytes for a cosine error below 0.001."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ace.core.ports import Vectors
from ace.errors import InvalidInput

STORED = np.dtype("<f2")


def pack_added(added: Sequence[str], vectors: Mapping[str, Vectors], size: int | None) -> dict[str, bytes]:
    """The packed vector of each bullet added, in order. `size` is what the domain's vectors have, once known.

    Raises InvalidInput when one is missing, unusable or of another size.
    """
    if missing := [own for own in added if own not in vectors]:
        raise InvalidInput("vectors", f"none given for {missing[0]}", "Give one for every bullet added")
    packed = dict(zip(added, pack([vectors[own] for own in added]), strict=True))
    for own, data in packed.items():
        if size not in (None, len(data) // STORED.itemsize):
            problem = f"{own}'s has {len(data) // STORED.itemsize} numbers, this domain's have {size}"
            raise InvalidInput("vectors", problem, "Use the embedding model the domain was learned with")
    return packed


def pack(vectors: Sequence[Vectors]) -> list[bytes]:
    """Each float32[d] as d little-endian float16. Raises InvalidInput unless all are of one size, finite, and fit."""
    if len({np.shape(vector) for vector in vectors}) > 1 or any(np.ndim(vector) != 1 for vector in vectors):
        raise InvalidInput("vectors", "they are not all lists of numbers of one length")
    with np.errstate(over="ignore"):
        packed = np.asarray(vectors, dtype=np.float32).astype(STORED)
    if not np.isfinite(packed).all() or (len(vectors) and not packed.size):
        raise InvalidInput("vectors", "a number is missing, not finite or too large for float16")
    return [row.tobytes() for row in packed]


def unpack(packed: Sequence[bytes]) -> Vectors:
    """float32[n, d] of n packed vectors of one length."""
    rows = np.frombuffer(b"".join(packed), dtype=STORED).astype(np.float32)
    return rows.reshape(len(packed), -1) if packed else rows.reshape(0, 0)


def nearest(packed: Mapping[str, bytes], vectors: Vectors, *, floor: float, k: int) -> list[list[tuple[str, float]]]:
    """For each unit vector the `k` nearest of the packed ones with a cosine of at least `floor`, best first."""
    own = [name for name, data in packed.items() if len(data) // STORED.itemsize == np.shape(vectors)[1]]
    if not own:
        return [[] for _ in vectors]
    cosines = np.asarray(vectors) @ unpack([packed[name] for name in own]).T
    found = ([(own[place], float(row[place])) for place in np.flatnonzero(row >= floor)] for row in cosines)
    return [sorted(row, key=lambda one: (-one[1], one[0]))[:k] for row in found]
