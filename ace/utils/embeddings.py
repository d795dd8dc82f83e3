"""Texts to unit vectors: `ace.core.ports.Embedder`.

    LocalEmbedder     all-MiniLM-L6-v2 in this process (onnxruntime, tokenizers): mean of the tokens' vectors, length 1
    RemoteEmbedder    any OpenAI-compatible server: see remote_embeddings
    CachedEmbedder    remembers the vectors of the texts asked for last

Law: a text's vector depends on the text alone. Texts are embedded with others of exactly their number of tokens, so
there is no padding, and company changes no bit. (Another kind of processor may round differently.)
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ace.config import get_settings
from ace.core.ports import Embedder, Vectors
from ace.utils import minilm
from ace.utils.encoder import Encoder, load_encoder

PARCEL = "minilm-l6"
TOKENS_PER_RUN = 512  # more are not faster and cost memory: 0.1 MB of activations a token
READ_CHARS = 100_000  # of a text; 256 word pieces are far fewer, and a book takes seconds to take apart
CACHED_TEXTS = 8192  # 12 MB


class LocalEmbedder:
    """all-MiniLM-L6-v2 from the files of `ace models pull minilm-l6`; texts longer than 256 word pieces are cut there.

    The first call loads the model (0.2 s), the first ever also draws its graph from the weights (2 s, once, kept in
    `<models_dir>/minilm-l6-onnx`). Safe to share between threads; `threads` are used for one call.
    """

    name, dimensions = "all-MiniLM-L6-v2", minilm.DIMENSIONS

    def __init__(self, models_dir: Path, *, threads: int = 1) -> None:
        self._models_dir, self._threads = models_dir, threads
        self._loading = threading.Lock()
        self._loaded: Encoder | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """`float32[len(texts), 384]`, each row of length 1.

        Raises MissingModelFiles, InvalidInput for a text with half a character (a lone surrogate).
        """
        model = self._model()
        ids = [model.token_ids(text[:READ_CHARS]) for text in texts]
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for rows in equal_batches([len(own) for own in ids], TOKENS_PER_RUN):
            batch = np.array([ids[row] for row in rows], dtype=np.int64)
            vectors[rows] = _unit(model.session.run(None, {"ids": batch})[0])
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Word pieces `embed` reads of these texts, their two marks each included. Raises as `embed`."""
        model = self._model()
        return sum(len(model.token_ids(text[:READ_CHARS])) for text in texts)

    def _model(self) -> Encoder:
        with self._loading:
            if self._loaded is None:
                self._loaded = load_encoder(
                    PARCEL, self._models_dir, revision=minilm.REVISION, draw=_draw,
                    max_tokens=minilm.MAX_TOKENS, threads=self._threads,
                )  # fmt: skip
            return self._loaded


class CachedEmbedder:
    """`inner`, and the vectors of the last `size` different texts (1.6 KB each). Safe to share between threads."""

    def __init__(self, inner: Embedder, *, size: int = CACHED_TEXTS) -> None:
        self.name, self.dimensions = inner.name, inner.dimensions
        self._inner, self._size = inner, size
        self._lock = threading.Lock()
        self._rows: OrderedDict[bytes, Vectors] = OrderedDict()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As `inner`, which is asked once for each text that is not remembered."""
        keys = [_key(text) for text in texts]
        found = self._recall(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            computed = self._inner.embed(list(missing.values()))
            found |= {key: row.copy() for key, row in zip(missing, computed, strict=True)}
            self._remember({key: found[key] for key in missing})
        return np.stack([found[key] for key in keys]) if keys else self._inner.embed([])

    def _recall(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        with self._lock:
            found = {key: self._rows[key] for key in keys if key in self._rows}
            for key in found:
                self._rows.move_to_end(key)
        return found

    def _remember(self, rows: Mapping[bytes, Vectors]) -> None:
        with self._lock:
            self._rows.update(rows)
            while len(self._rows) > self._size:
                self._rows.popitem(last=False)


@lru_cache(maxsize=1)
def get_embedder() -> Embedder:
    """The embedder the settings name, cached by text; one for this process."""
    settings = get_settings()
    if settings.embeddings_url is None:
        return CachedEmbedder(LocalEmbedder(settings.models_path))
    from ace.utils.remote_embeddings import RemoteEmbedder

    return CachedEmbedder(RemoteEmbedder(settings.embeddings_url, settings.embeddings_model))


def equal_batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """The rows, grouped by equal length, at most `most` tokens (but at least one row) a group."""
    by_length: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        by_length.setdefault(length, []).append(row)
    for length, rows in by_length.items():
        size = max(1, most // length)
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _draw(parcel: Path) -> bytes:
    return minilm.draw(minilm.read_safetensors(parcel / "model.safetensors"))


def _unit(hidden: npt.NDArray[np.float32]) -> Vectors:
    """float32[n, d] of length 1 from float32[n, tokens, d]: the mean over the tokens, normalised."""
    mean = hidden.mean(axis=1)
    rows: Vectors = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return rows


def _key(text: str) -> bytes:
    """32 bytes for a text of any length."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
