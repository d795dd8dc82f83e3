"""What would be merged? The second look and the cosine rule on labelled pairs: `python -m benchmarks.curator_pairs`

    --json         one line of JSON a rule and split, instead of the table
    dev test       the splits to show, all of them by default

    split   what it is
    dev     what rules and weights were made on: its figures flatter
    test    other topics, never tuned on

A contradiction or a changed parameter is `plain` when it edits the rule itself, `reworded` when it opposes one of the
rule's rewordings, so that few words are shared. Intervals are Wilson's, at 95 %.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ace.core.ports import Pair, SecondLook
from ace.core.similarity import CANDIDATE, Relation
from ace.core.statistics import share
from ace.curator.semantic_curator import COSINE_DUPLICATE, CosineRule
from ace.utils.embeddings import LocalEmbedder
from ace.utils.nli import NliSecondLook

PAIRS = Path(__file__).parent / "data" / "bullet_pairs.jsonl"
MODELS = Path(".ace/models")
PARAMETERS = ("number", "unit", "name", "entity", "date", "format")
SPLITS = ("dev", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledPair:
    """Two bullets and what the one is to the other. `kind` says what sets them apart; `group` shares a first rule."""

    id: str
    a: str
    b: str
    label: str
    kind: str
    split: str

    @property
    def group(self) -> str:
        return self.id.rsplit("-", 1)[0]

    @property
    def row(self) -> str:
        """The line of the report it counts in."""
        if self.label == "paraphrase":
            return "paraphrases"
        reworded = ", reworded" if "+" in self.kind else ""
        if self.label == "contradiction":
            return f"contradictions{reworded}"
        parameter = self.kind.split("+")[0] in PARAMETERS
        return f"changed parameter{reworded}" if parameter else "other advice"


ROWS = (
    "paraphrases", "contradictions", "contradictions, reworded",
    "changed parameter", "changed parameter, reworded", "other advice",
)  # fmt: skip


def load(splits: Sequence[str] = SPLITS) -> list[LabelledPair]:
    """The labelled pairs of these splits, in the file's order."""
    rows = (LabelledPair(**json.loads(line)) for line in PAIRS.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row.split in splits]


def cosines(pairs: Sequence[LabelledPair]) -> list[float]:
    """The cosine of each pair's vectors."""
    embedder = LocalEmbedder(MODELS)
    left, right = (embedder.embed([getattr(pair, side) for pair in pairs]) for side in "ab")
    return [float(cosine) for cosine in (left * right).sum(axis=1)]


def measure(look: SecondLook, candidate: float, pairs: Sequence[LabelledPair]) -> dict[str, object]:
    """Percent merged with its interval and number of pairs, by row; and the milliseconds a candidate took."""
    seen = [Pair(left=p.a, right=p.b, cosine=c) for p, c in zip(pairs, cosines(pairs), strict=True)]
    candidates = [pair for pair in seen if pair.cosine >= candidate]
    start = time.perf_counter()
    relations = {id(pair): look.judge([pair])[0] for pair in candidates}
    found: dict[str, object] = {"ms_a_candidate": round(1000 * (time.perf_counter() - start) / len(candidates), 2)}
    for row in ROWS:
        verdicts = [relations.get(id(s)) for s, p in zip(seen, pairs, strict=True) if p.row == row]
        if verdicts:
            rate = share(sum(verdict == Relation.SAME for verdict in verdicts), len(verdicts))
            found[row] = [round(100 * part, 1) for part in (rate.value, rate.low, rate.high)] + [rate.n]
    opposites = [relations.get(id(s)) for s, p in zip(seen, pairs, strict=True) if p.label == "contradiction"]
    found["contradictions linked"] = round(100 * opposites.count(Relation.CONTRADICTS) / max(1, len(opposites)), 1)
    return found


def main(arguments: Sequence[str]) -> None:
    rules: list[tuple[str, SecondLook, float]] = [
        ("cosine >= 0.8", CosineRule(), COSINE_DUPLICATE),
        ("second look", NliSecondLook(MODELS), CANDIDATE),
    ]
    rules[1][1].judge([Pair(left="Wake up early.", right="Get out of bed at dawn.", cosine=0.9)])
    for split in [one for one in SPLITS if one in arguments] or SPLITS:
        if pairs := load([split]):
            found = {title: measure(look, candidate, pairs) for title, look, candidate in rules}
            _show(split, found, as_json="--json" in arguments)


def _show(split: str, found: dict[str, dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        for title, figures in found.items():
            print(json.dumps({"split": split, "rule": title, **figures}), flush=True)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{split}: percent merged (95 % interval)")
    for heading in ("", "pairs", *found):
        table.add_column(heading, justify="left" if not heading else "right")
    for row in [row for row in ROWS if row in next(iter(found.values()))]:
        cells = [_cell(figures[row]) for figures in found.values()]
        table.add_row(row, cells[0][1], *(cell[0] for cell in cells))
    for row in ("contradictions linked", "ms_a_candidate"):
        table.add_row(row, "", *(str(figures[row]) for figures in found.values()))
    Console().print(table)


def _cell(figures: object) -> tuple[str, str]:
    assert isinstance(figures, list)
    value, low, high, n = figures
    return f"{value} ({low}-{high})", str(n)


if __name__ == "__main__":
    main(sys.argv[1:])
