"""Vectors without a model: each word votes on a few of the dimensions its hash names, so shared words mean nearness."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from ace.core.ports import Vectors

VOTES = 8  # dimensions a word touches; 8 of 384 make two words with no letter in common nearly orthogonal
NEVER_ZERO = 1e-6  # votes may cancel each other; a length may not be 0


class HashEmbedder:
    """`ace.core.ports.Embedder` by a bag of hashed words: the same text, in any process, gives the same vector."""

    def __init__(self, *, dimensions: int = 384, name: str = "hash") -> None:
        self.name, self.dimensions = name, dimensions

    def embed(self, texts: Sequence[str]) -> Vectors:
        """`float32[len(texts), dimensions]`, each row of length 1."""
        vectors = np.full((len(texts), self.dimensions), NEVER_ZERO, dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()) or [text]:
                self._vote(row, word)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def _vote(self, row: Vectors, word: str) -> None:
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4 * VOTES).digest()
        for number in np.frombuffer(digest, dtype="<u4").tolist():
            row[(number >> 1) % self.dimensions] += 1.0 if number & 1 else -1.0
