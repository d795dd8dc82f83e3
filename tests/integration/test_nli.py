"""The second look with its real model, on pairs whose relation nobody doubts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ace.core.ports import Pair
from ace.core.similarity import Relation
from ace.errors import MissingModelFiles
from ace.utils.nli import NliSecondLook
from benchmarks.curator_pairs import cosines, load


@pytest.fixture(scope="module")
def look(models_dir: Path) -> NliSecondLook:
    return NliSecondLook(models_dir)


@pytest.mark.parametrize(
    ("left", "right", "merged"),
    [
        pytest.param("Check the units.", "check the units.", True, id="same-text"),
        pytest.param("Always round the result up.", "Never round the result up.", False, id="opposite"),
        pytest.param("Round to 2 decimals.", "Round to 3 decimals.", False, id="other-number"),
        pytest.param("Report amounts in USD.", "Report amounts in EUR.", False, id="other-name"),
        pytest.param("Do retry the request.", "Do not retry the request.", False, id="negation"),
    ],
)
def test_only_the_same_advice_is_the_same(look: NliSecondLook, left: str, right: str, merged: bool) -> None:
    relation = look.judge([Pair(left=left, right=right, cosine=0.95)])[0]
    assert (relation == Relation.SAME) == merged


def test_plain_opposites_contradict(look: NliSecondLook) -> None:
    pair = Pair(left="Always round the result up.", right="Never round the result up.", cosine=0.95)
    assert look.judge([pair]) == [Relation.CONTRADICTS]


def test_without_its_files_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(MissingModelFiles, match="ace models pull"):
        NliSecondLook(tmp_path).judge([Pair(left="one thing", right="another thing", cosine=0.9)])


def test_on_pairs_it_was_not_tuned_on_it_merges_rewordings_and_keeps_edits_that_turn_the_meaning_apart(
    look: NliSecondLook,
) -> None:
    """Bounds well outside the intervals in docs/adr/0005, which has the figures."""
    pairs = load(["test"])
    seen = [Pair(left=p.a, right=p.b, cosine=cosine) for p, cosine in zip(pairs, cosines(pairs), strict=True)]
    merged: dict[str, list[bool]] = {}
    for pair, relation in zip(pairs, [look.judge([one])[0] for one in seen], strict=True):
        merged.setdefault(pair.row, []).append(relation == Relation.SAME)
    share = {row: sum(verdicts) / len(verdicts) for row, verdicts in merged.items()}
    assert share["paraphrases"] > 0.8
    assert share["contradictions"] < 0.03
    assert share["changed parameter"] < 0.03
    assert share["contradictions, reworded"] < 0.25


def test_a_verdict_does_not_depend_on_company_or_order(look: NliSecondLook) -> None:
    pairs = [Pair(left=p.a, right=p.b, cosine=0.8) for p in load(["test"])[:24]]
    alone = [look.judge([Pair(left=pair.right, right=pair.left, cosine=0.8)])[0] for pair in pairs]
    assert look.judge(pairs) == alone
