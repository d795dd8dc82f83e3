"""The second look by a small language-inference model: does either text contradict the other?

    same          cosine >= 0.72, contradicted in neither direction (< 0.9), and the same numbers, names and negations
    contradicts   contradicted in either direction (>= 0.95), with the same numbers and names
    different     the rest

The model is DeBERTa-small with int8 weights (`ace models list`); pairs judged last are remembered.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ace.core.ports import Pair
from ace.core.similarity import Relation
from ace.utils import model_files

PARCEL = "policy-nli"
MAX_TOKENS = 256
SAME_COSINE, SAME_BELOW, OPPOSED_FROM = 0.72, 0.9, 0.95
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*\s?%?")
_NEGATION = re.compile(r"\b(?:not|never|no|without|avoid|don't|n't|unless|except)\b", re.IGNORECASE)
_NAME = re.compile(r"\b(?:[A-Z]{2,}\w*|[a-z]+[A-Z]\w*|[A-Z]\w*[a-z][A-Z]\w*)\b|\[[^\]]+\]")

Scores = npt.NDArray[np.float32]


class NliSecondLook:
    """`ace.core.ports.SecondLook` over the files of `ace models pull policy-nli`. Safe to share between threads."""

    def __init__(self, models_dir: Path, *, threads: int = 1) -> None:
        self._models_dir, self._threads = models_dir, threads
        self._loading = threading.Lock()
        self._known = lru_cache(maxsize=20_000)(self._contradiction)

    def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
        """One relation per pair, in order. Raises MissingModelFiles."""
        return [self._relation(pair.left, pair.right, pair.cosine) for pair in pairs]

    def _relation(self, left: str, right: str, cosine: float) -> Relation:
        if left.casefold() == right.casefold():
            return Relation.SAME
        if _found(_NUMBER, left) != _found(_NUMBER, right) or _found(_NAME, left) != _found(_NAME, right):
            return Relation.DIFFERENT
        contradiction = self._known(left, right)
        turned = len(_NEGATION.findall(left)) % 2 != len(_NEGATION.findall(right)) % 2
        if contradiction >= OPPOSED_FROM:
            return Relation.CONTRADICTS
        apart = turned or contradiction >= SAME_BELOW or cosine < SAME_COSINE
        return Relation.DIFFERENT if apart else Relation.SAME

    def _contradiction(self, left: str, right: str) -> float:
        """The higher of both directions' probability that one text contradicts the other, 0..1."""
        session, tokenizer = self._model
        return max(_softmax(_run(session, tokenizer.encode(*pair)))[1] for pair in ((left, right), (right, left)))

    @property
    def _model(self) -> tuple[Any, Any]:
        with self._loading:
            return _load(self._models_dir, self._threads)


@lru_cache(maxsize=2)
def _load(models_dir: Path, threads: int) -> tuple[Any, Any]:
    import onnxruntime
    from tokenizers import Tokenizer

    folder = model_files.path(PARCEL, models_dir)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    graph = _of_any_length(folder / "model.onnx")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return session, tokenizer


def _of_any_length(file: Path) -> bytes:
    """The graph, which was exported for 160 tokens, for as many as there are."""
    import onnx

    model = onnx.load(str(file))
    for entry in model.graph.input:
        entry.type.tensor_type.shape.dim[1].dim_param = "tokens"
    whole: bytes = model.SerializeToString()
    return whole


def _run(session: Any, encoded: Any) -> Scores:
    ids, mask = (np.array([row], dtype=np.int64) for row in (encoded.ids, encoded.attention_mask))
    logits: Scores = session.run(None, {"input_ids": ids, "attention_mask": mask})[0][0]
    return logits


def _softmax(logits: Scores) -> list[float]:
    powers = np.exp(logits - logits.max())
    return [float(power) for power in powers / powers.sum()]


def _found(pattern: re.Pattern[str], text: str) -> set[str]:
    return set(pattern.findall(text))
