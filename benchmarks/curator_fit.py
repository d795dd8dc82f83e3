"""Fit the second look on the development pairs: `python -m benchmarks.curator_fit [--write]`

    head        from the model's state (384 numbers)    all pairs, both ways round
    SAME        same advice, or not                     log-odds; written to ace/utils/nli_heads.py with --write
    OPPOSED     contradiction, or merely different      the same, of the pairs that are not the same
    EDITED      weights in ace/core/similarity.py       pairs the rules leave open, heads held out by tenths
    REWORDED    the same                                the same
    GLANCE      the same                                kept rewordings against different advice

The test pairs are never read here. Logistic regression with a ridge, by Newton's method; a tenth is made of whole
groups (a rule, its rewordings and its opposites), so that no text is on both sides.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ace.core import similarity
from ace.core.advice import comparing
from ace.core.advice.gist import glance
from ace.core.advice.roles import TURNED
from ace.core.advice.wording import read
from ace.core.similarity import CANDIDATE
from ace.utils.embeddings import LocalEmbedder
from ace.utils.nli import PolicyNli
from benchmarks.corpus import strategy_bullets
from benchmarks.curator_pairs import MODELS, LabelledPair, cosines, load

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

HEADS = Path(__file__).parent.parent / "ace" / "utils" / "nli_heads.py"
RIDGE_HEAD, RIDGE_TABLE = 33.0, 1.0  # per standardised column
TENTHS = 10
BALANCE = 1.0  # log-odds added to the tables' intercepts: nine of ten rewordings kept, see the ADR
CORPUS, ASKED = 2000, 300
KEPT = 0.02  # share of kept rewordings the glance may cost
FEATURES: dict[str, tuple[str, ...]] = {
    "EDITED": ("both_new", "one_new", "odd", "model"),
    "REWORDED": ("odd", "turned", "cosine", "model"),
}


def logistic(x: Array, y: Mask, ridge: float) -> tuple[Array, float]:
    """Weights[columns] and intercept that minimise log-loss + ridge/2 · |standardised weights|²."""
    mean, scale = x.mean(axis=0), np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    z = np.column_stack([(x - mean) / scale, np.ones(len(x))])
    penalty = np.append(np.full(x.shape[1], ridge), 0.0)
    weights = np.zeros(z.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-z @ weights))
        slope = z.T @ (chance - y) + penalty * weights
        curve = (z * (chance * (1 - chance))[:, None]).T @ z + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    plain = weights[:-1] / scale
    return plain, float(weights[-1] - plain @ mean)


def held_out(states: Array, other_way: Array, y: Mask, tenth: npt.NDArray[np.int64]) -> Array:
    """Each pair's log-odds from a head that has not seen its group."""
    scores = np.zeros(len(y))
    for part in range(TENTHS):
        seen = tenth != part
        weights, intercept = logistic(np.concatenate([states[seen], other_way[seen]]), np.tile(y[seen], 2), RIDGE_HEAD)
        scores[~seen] = states[~seen] @ weights + intercept
    return scores


def tenths(pairs: list[LabelledPair]) -> npt.NDArray[np.int64]:
    groups = sorted({pair.group for pair in pairs})
    shuffled = np.random.default_rng(0).permutation(len(groups))
    part = {group: int(shuffled[at]) % TENTHS for at, group in enumerate(groups)}
    return np.array([part[pair.group] for pair in pairs])


def tables(pairs: list[LabelledPair], near: Array, same: Array) -> None:
    """Print EDITED and REWORDED, fitted on what the rules leave open."""
    found = [comparing.compare(read(pair.a), read(pair.b)) for pair in pairs]
    left_open = np.array([_open(pair, one) for pair, one in zip(pairs, found, strict=True)])
    left_open &= near >= similarity.CANDIDATE
    columns: dict[str, Callable[[comparing.Findings], float]] = {
        "both_new": lambda one: all(one.news), "one_new": lambda one: any(one.news) and not all(one.news),
        "odd": lambda one: one.odd, "turned": lambda one: one.orientation <= TURNED}  # fmt: skip
    evidence = {name: np.array([float(column(one)) for one in found]) for name, column in columns.items()}
    evidence |= {"cosine": near, "model": same}
    y = np.array([pair.label == "paraphrase" for pair in pairs])
    edited = np.array([one.edited for one in found])
    for name, wanted in FEATURES.items():
        rows = left_open & (edited if name == "EDITED" else ~edited)
        x = np.column_stack([evidence[column] for column in wanted])
        weights, intercept = logistic(x[rows], y[rows], RIDGE_TABLE)
        shown = ", ".join(f"{column}={weight:.2f}" for column, weight in zip(wanted, weights, strict=True))
        print(f"{name} = Weights(intercept={intercept + BALANCE:.2f}, {shown})  # {rows.sum()} pairs")


def _open(pair: LabelledPair, found: comparing.Findings) -> bool:
    """The rules say nothing certain of the pair."""
    left, right = read(pair.a), read(pair.b)
    if comparing.stated_difference(left, right) or comparing.certain_difference(found):
        return False
    return not comparing.says_the_same(left, right, found)


def strangers() -> list[tuple[str, str, float]]:
    """Neighbours in a playbook of other advice: corpus bullets, their five nearest, and the cosines."""
    texts = strategy_bullets(CORPUS)
    vectors = LocalEmbedder(MODELS).embed(texts)
    cosine = vectors[:ASKED] @ vectors[ASKED:].T
    nearest = np.argsort(-cosine, axis=1)[:, :5]
    return [(texts[row], texts[ASKED + at], float(cosine[row, at])) for row in range(ASKED) for at in nearest[row]]


def glancing(pairs: list[LabelledPair], near: Array) -> None:
    """Print GLANCE, fitted on rewordings against other advice; the cut costs `KEPT` of the rewordings."""
    kept = [(p.a, p.b, c) for p, c in zip(pairs, near, strict=True) if p.label == "paraphrase" and c >= CANDIDATE]
    other = [(p.a, p.b, c) for p, c in zip(pairs, near, strict=True) if p.label == "different" and "+" not in p.kind]
    rows = [*kept, *(row for row in other if row[2] >= CANDIDATE), *strangers()]
    seen = [glance(left, right) for left, right, _ in rows]
    x = np.array([[row[2], one.strangers, one.overlap] for row, one in zip(rows, seen, strict=True)])
    y = np.arange(len(rows)) < len(kept)
    weights, intercept = logistic(x, y, RIDGE_TABLE)
    cut = np.quantile(x[y] @ weights + intercept, KEPT)
    print(f"# the glance leaves {np.mean(x[~y] @ weights + intercept > cut):.2f} of {np.sum(~y)} pairs of other advice")
    print(f"GLANCE = GlanceWeights(intercept={intercept - cut:.2f}, cosine={weights[0]:.2f}, "
          f"stranger={weights[1]:.2f}, overlap={weights[2]:.2f})")  # fmt: skip


def main(arguments: list[str]) -> None:
    pairs = load(["dev"])
    near, nli = np.array(cosines(pairs)), PolicyNli(MODELS)
    way = [(min(pair.a, pair.b), max(pair.a, pair.b)) for pair in pairs]
    states, other_way = nli.states(way).astype(float), nli.states([two[::-1] for two in way]).astype(float)
    y, tenth = np.array([pair.label == "paraphrase" for pair in pairs]), tenths(pairs)
    opposed = np.array([pair.label == "contradiction" for pair in pairs])
    heads = {
        "SAME": logistic(np.concatenate([states, other_way]), np.tile(y, 2), RIDGE_HEAD),
        "OPPOSED": logistic(np.concatenate([states[~y], other_way[~y]]), np.tile(opposed[~y], 2), RIDGE_HEAD),
    }
    tables(pairs, near, held_out(states, other_way, y, tenth))
    glancing(pairs, near)
    if "--write" in arguments:
        HEADS.write_text(source(heads))


def source(heads: dict[str, tuple[Array, float]]) -> str:
    """The text of nli_heads.py."""
    opening = HEADS.read_text().split("SAME = Head(")[0]
    return opening + "".join(f"{name} = {_head(*head)}\n" for name, head in heads.items())


def _head(weights: Array, intercept: float) -> str:
    numbers = [f"{round(1000 * weight)}," for weight in weights]
    lines = [" ".join(numbers[at : at + 20]) for at in range(0, len(numbers), 20)]
    return (
        f"Head(\n    intercept={intercept:.4f},\n    thousandths=(\n        " + "\n        ".join(lines) + "\n    ),\n)"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
