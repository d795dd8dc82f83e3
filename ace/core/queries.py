"""What may be asked of an index: vectors that have a direction, of the domain's length, and a number of neighbours."""

from __future__ import annotations

import numpy as np

from ace.core.ports import Vectors
from ace.errors import InvalidInput


def unit_rows(vectors: Vectors) -> Vectors:
    """The rows at length 1. Raises InvalidInput unless they are float32[n, d] of finite numbers, none all zero."""
    rows = np.asarray(vectors, dtype=np.float32)
    if rows.ndim != 2:
        raise InvalidInput("vectors", f"have the shape {rows.shape}", "Give one row per text, float32[n, 384]")
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    if not np.isfinite(lengths).all() or not lengths.all():
        raise InvalidInput("vectors", "a row is zero, not a number or infinite", "Give the embedding of a text")
    return np.ascontiguousarray(rows / lengths)


def one_row(query: object) -> Vectors:
    """float32[1, d] of one vector, at length 1. Raises InvalidInput."""
    row = np.asarray(query, dtype=np.float32)
    if row.ndim != 1:
        raise InvalidInput("query", f"has the shape {row.shape}", "Give one vector, float32[384]")
    return unit_rows(row[None])


def check_k(k: int) -> None:
    """Raises InvalidInput."""
    if k < 0:
        raise InvalidInput("k", f"is {k}", "Ask for 0 or more")


def check_length(vectors: Vectors, dimensions: int) -> None:
    """Raises InvalidInput unless they are as long as the domain's."""
    if vectors.shape[1] != dimensions:
        raise InvalidInput(
            "vectors",
            f"they have {vectors.shape[1]} numbers, this domain's have {dimensions}",
            "Use the embedding model the domain was learned with (ACE_EMBEDDINGS_MODEL)",
        )
