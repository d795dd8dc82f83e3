"""The second look with a model: `ace.core.ports.SecondLook`. The rules decide what they can, the model the rest.

    pairs ──> similarity.certain ──> verdict                                  no model, 0.1 ms
                     └──> PolicyNli ──> opinion ──> similarity.weigh ──> verdict   12-20 ms of one core a pair

The model is a DeBERTa-v3-xsmall, fine-tuned by others to tell contradicting policies; its own answer is of little use
here (it calls most rewordings contradictions), but the state it gives its answer from knows more: two linear heads
(`nli_heads`) read from it whether two texts give the same advice, and whether they are opposed.

Law: a verdict depends on the two texts and their cosine alone, not on their order or on the other pairs, but that for
each left text the model is asked about the OPEN_PER_TEXT nearest open pairs only.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ace.core import similarity
from ace.core.ports import Pair
from ace.core.similarity import Opinion, Relation
from ace.utils import deberta, nli_heads
from ace.utils.embeddings import equal_batches
from ace.utils.encoder import Encoder, load_encoder

PARCEL = "policy-nli"
OPEN_PER_TEXT = 3  # a text's twin is among its nearest undecided neighbours or not in the playbook
REMEMBERED = 65_536  # opinions kept, about 0.2 kB each
TOKENS_PER_RUN = 512


class NliSecondLook:
    """Rules and the files of `ace models pull policy-nli`. Safe to share between threads.

    The first pair the rules leave open loads the model (0.4 s, 150 MB), the first ever also draws its graph (5 s, once,
    kept in `<models_dir>/policy-nli-onnx`).
    """

    def __init__(self, models_dir: Path, *, threads: int = 1) -> None:
        self._nli = PolicyNli(models_dir, threads=threads)

    def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
        """One relation per pair, in order. Raises MissingModelFiles, InvalidInput (lone surrogates)."""
        certain = [similarity.certain(pair.left, pair.right, pair.cosine) for pair in pairs]
        asked = _to_ask(pairs, [row for row, verdict in enumerate(certain) if verdict is None])
        opinions = dict(zip(asked, self._nli.opinions([(pairs[r].left, pairs[r].right) for r in asked]), strict=True))
        return [
            verdict or similarity.weigh(pair.left, pair.right, pair.cosine, opinions.get(row))
            for row, (pair, verdict) in enumerate(zip(pairs, certain, strict=True))
        ]


def _to_ask(pairs: Sequence[Pair], undecided: Sequence[int]) -> list[int]:
    """For each left text its nearest undecided pairs."""
    by_text: dict[str, list[int]] = {}
    for row in sorted(undecided, key=lambda row: -pairs[row].cosine):
        by_text.setdefault(pairs[row].left, []).append(row)
    return [row for rows in by_text.values() for row in rows[:OPEN_PER_TEXT]]


class PolicyNli:
    """The model's opinion of two texts, remembered by text. Texts longer than 256 word pieces together are cut."""

    def __init__(self, models_dir: Path, *, threads: int = 1, remembered: int = REMEMBERED) -> None:
        self._models_dir, self._threads, self._size = models_dir, threads, remembered
        self._lock, self._loading = threading.Lock(), threading.Lock()
        self._known: OrderedDict[bytes, Opinion] = OrderedDict()
        self._loaded: Encoder | None = None

    def opinions(self, pairs: Sequence[tuple[str, str]]) -> list[Opinion]:
        """One opinion per pair, whichever way round it is given. Raises MissingModelFiles, InvalidInput."""
        ordered = [(min(pair), max(pair)) for pair in pairs]
        keys = [_key(*pair) for pair in ordered]
        found = self._recall(keys)
        missing = {key: pair for key, pair in zip(keys, ordered, strict=True) if key not in found}
        if missing:
            computed = dict(zip(missing, _opinions(self.states(list(missing.values()))), strict=True))
            self._remember(computed)
            found |= computed
        return [found[key] for key in keys]

    def states(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """float32[len(pairs), 384]: the state the opinions are read from; here the order of a pair matters a little."""
        model = self._model()
        ids = [model.token_ids(*pair) for pair in pairs]
        states = np.empty((len(pairs), deberta.DIMENSIONS), np.float32)
        for rows in equal_batches([len(own) for own in ids], TOKENS_PER_RUN):
            states[rows] = model.session.run(None, {"ids": np.array([ids[row] for row in rows], np.int64)})[0]
        return states

    def _model(self) -> Encoder:
        with self._loading:
            if self._loaded is None:
                self._loaded = load_encoder(
                    PARCEL, self._models_dir, revision=deberta.REVISION, draw=_draw,
                    max_tokens=deberta.MAX_TOKENS, threads=self._threads,
                )  # fmt: skip
            return self._loaded

    def _recall(self, keys: Sequence[bytes]) -> dict[bytes, Opinion]:
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
            for key in found:
                self._known.move_to_end(key)
        return found

    def _remember(self, opinions: dict[bytes, Opinion]) -> None:
        with self._lock:
            self._known.update(opinions)
            while len(self._known) > self._size:
                self._known.popitem(last=False)


def _draw(parcel: Path) -> bytes:
    return deberta.draw(deberta.Weights(parcel / "model.onnx"))


def _opinions(states: npt.NDArray[np.float32]) -> list[Opinion]:
    same, opposed = (nli_heads.log_odds(states, head) for head in (nli_heads.SAME, nli_heads.OPPOSED))
    return [Opinion(float(one), float(other)) for one, other in zip(same, opposed, strict=True)]


def _key(left: str, right: str) -> bytes:
    """32 bytes for two texts of any length."""
    parts = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (left, right))
    return hashlib.sha256(b"".join(parts)).digest()
