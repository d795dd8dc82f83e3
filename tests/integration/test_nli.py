"""The second look with its real model, on pairs whose relation nobody doubts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ace.core.ports import Pair
from ace.core.similarity import Relation
from ace.errors import MissingModelFiles
from ace.utils.nli import NliSecondLook


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
