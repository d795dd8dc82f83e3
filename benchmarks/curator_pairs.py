"""What would be merged? The second look and the usual cosine rule on labelled pairs, the `test` split by default.

python -m benchmarks.curator_pairs [dev]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ace.core.ports import Pair, SecondLook
from ace.core.similarity import Relation
from ace.core.statistics import share
from ace.curator.semantic_curator import CANDIDATE_COSINE, CosineRule
from ace.utils.embeddings import LocalEmbedder
from ace.utils.nli import NliSecondLook
from benchmarks.world import MODELS

PAIRS = Path(__file__).parent / "data" / "bullet_pairs.jsonl"
LABELS = ("paraphrase", "contradiction", "different")


def load(split: str) -> list[dict[str, str]]:
    """The labelled pairs of one split."""
    rows = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    return [row for row in rows if row["split"] == split]


def with_cosines(rows: Sequence[dict[str, str]]) -> list[Pair]:
    """The pairs as the Curator would see them."""
    embedder = LocalEmbedder(MODELS)
    left, right = (embedder.embed([row[side] for row in rows]) for side in "ab")
    cosines = (left * right).sum(axis=1)
    return [Pair(left=r["a"], right=r["b"], cosine=float(c)) for r, c in zip(rows, cosines, strict=True)]


def measure(name: str, look: SecondLook, rows: Sequence[dict[str, str]], pairs: Sequence[Pair]) -> dict[str, object]:
    """The share of each label that is merged, in percent with its 95 % interval, and the milliseconds a pair took."""
    candidates = [pair for pair in pairs if pair.cosine >= CANDIDATE_COSINE]
    start = time.perf_counter()
    relations = dict(zip(map(id, candidates), look.judge(candidates), strict=True))
    taken = 1000 * (time.perf_counter() - start) / max(len(candidates), 1)
    found: dict[str, object] = {"rule": name, "ms_a_candidate": round(taken, 2)}
    for label in LABELS:
        merged = [relations.get(id(pair)) == Relation.SAME for row, pair in zip(rows, pairs, strict=True)
                  if row["label"] == label]  # fmt: skip
        rate = share(sum(merged), len(merged))
        found[f"{label}_merged"] = [round(100 * part, 1) for part in (rate.value, rate.low, rate.high)] + [rate.n]
    return found


if __name__ == "__main__":
    chosen = load(sys.argv[1] if len(sys.argv) > 1 else "test")
    seen = with_cosines(chosen)
    for title, rule in (("cosine >= 0.8", CosineRule()), ("second look", NliSecondLook(MODELS))):
        print(json.dumps(measure(title, rule, chosen, seen)), flush=True)
