"""Text to vectors on one thread and on two. `python -m benchmarks.embedding`

load_s                    a session from the files, the first text included
one_p50_ms, one_p95_ms    one task text (25 word pieces) at a time
texts_per_s               bullets (31 word pieces) in batches
cosine_min, cosine_mean   of the vectors to those of the same weights in float32
rss_mb                    what the embedder added to the process
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from ace.core.ports import Vectors
from ace.utils import minilm
from ace.utils.embeddings import PARCEL, LocalEmbedder
from benchmarks.corpus import strategy_bullets, task_queries
from benchmarks.retrieval import rss_mb
from benchmarks.world import MODELS, timed

TEXTS = 600


def measure(threads: int) -> dict[str, float]:
    """What the head of this file names, without the cosines."""
    texts, queries, before = strategy_bullets(TEXTS, seed=9), task_queries(203), rss_mb()
    embedder = LocalEmbedder(MODELS, threads=threads)
    start = time.perf_counter()
    embedder.embed(["warm up"])
    load = time.perf_counter() - start
    one = timed(lambda i: embedder.embed([queries[i]]), 200)
    start = time.perf_counter()
    embedder.embed(texts)
    return {"threads": threads, "load_s": load, "one_p50_ms": one.p50, "one_p95_ms": one.p95,
            "texts_per_s": TEXTS / (time.perf_counter() - start), "rss_mb": rss_mb() - before}  # fmt: skip


def accuracy(texts: list[str]) -> dict[str, float]:
    """How near the vectors are to those of the same graph with its weights and activations in float32."""
    cosines = (LocalEmbedder(MODELS).embed(texts) * _exact(texts)).sum(axis=1)
    return {"cosine_min": float(cosines.min()), "cosine_mean": float(cosines.mean())}


def _exact(texts: list[str]) -> Vectors:
    import onnxruntime
    from tokenizers import Tokenizer

    session = onnxruntime.InferenceSession(minilm.draw(_weights(), exact=True))
    tokenizer = Tokenizer.from_file(str(_file("tokenizer.json")))
    tokenizer.no_padding()
    hidden = [session.run(None, {"ids": np.array([tokenizer.encode(text).ids])})[0] for text in texts]
    means = np.concatenate([one.mean(axis=1) for one in hidden])
    rows: Vectors = means / np.linalg.norm(means, axis=1, keepdims=True)
    return rows


def _weights() -> minilm.Tensors:
    return minilm.read_safetensors(_file("model.safetensors"))


def _file(name: str) -> Path:
    return MODELS / PARCEL / name


if __name__ == "__main__":
    figures = [*(measure(threads) for threads in (1, 2)), accuracy(strategy_bullets(TEXTS, seed=9))]
    for figure in figures:
        print(json.dumps({key: round(value, 5 if "cosine" in key else 2) for key, value in figure.items()}), flush=True)
