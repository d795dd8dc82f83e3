"""What the rules of the second look decide alone, in a table; and that they stand any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.similarity import CANDIDATE, Opinion, Relation, certain, difference, judge

SAME, CONTRADICTS, DIFFERENT = Relation.SAME, Relation.CONTRADICTS, Relation.DIFFERENT

CERTAIN = [
    pytest.param("Check the units.", "check the units", SAME, id="case-and-full-stop"),
    pytest.param("Note: check the units.", "Always check the units.", SAME, id="label-and-filler"),
    pytest.param("Always round the result up.", "Never round the result up.", CONTRADICTS, id="always-never"),
    pytest.param("Retry after a timeout.", "Do not retry after a timeout.", CONTRADICTS, id="not"),
    pytest.param("Round to 2 decimals.", "Round to 3 decimals.", CONTRADICTS, id="rival-number"),
    pytest.param("Wait 30 seconds first.", "Wait 30 milliseconds first.", CONTRADICTS, id="rival-unit"),
    pytest.param("Report amounts in USD.", "Report amounts in EUR.", CONTRADICTS, id="rival-name"),
    pytest.param("Convert euros to dollars first.", "Convert dollars to euros first.", CONTRADICTS, id="turned-round"),
    pytest.param("Validate before you parse.", "Validate after you parse.", CONTRADICTS, id="before-after"),
    pytest.param("Use at least two sources.", "Use at most two sources.", CONTRADICTS, id="bounds"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "verdict"), CERTAIN)
def test_what_the_rules_are_certain_of_needs_no_model(left: str, right: str, verdict: Relation) -> None:
    assert certain(left, right, 0.95) == verdict
    assert certain(right, left, 0.95) == verdict


@pytest.mark.parametrize(("left", "right"), [case.values[:2] for case in CERTAIN if case.values[2] != SAME])
def test_no_opinion_of_a_model_overrules_a_certain_difference(left: str, right: str) -> None:
    assert judge(left, right, 0.99, Opinion(same=50.0, opposed=-50.0)) == CONTRADICTS
    assert difference(left, right) is not None


def test_far_apart_is_different_without_a_look() -> None:
    assert certain("Round the result up.", "Round the result down.", CANDIDATE - 0.01) == DIFFERENT


def test_what_is_open_is_decided_by_the_model_and_without_one_is_not_merged() -> None:
    left, right = "Read the footnotes before you tag a number.", "Look at the footnotes first, then tag the figure."
    assert certain(left, right, 0.8) is None
    assert judge(left, right, 0.8, Opinion(same=6.0, opposed=-6.0)) == SAME
    assert judge(left, right, 0.8, Opinion(same=-6.0, opposed=6.0)) == CONTRADICTS
    assert judge(left, right, 0.8, Opinion(same=-6.0, opposed=-6.0)) == DIFFERENT
    assert judge(left, right, 0.8) != SAME


SPEECH = "always never not round up down 2 3.5 % USD before after if unless from to the rate “quoted” n't at least -7"
WORDS = st.sampled_from(SPEECH.split())
TEXTS = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=12).map(" ".join))


@given(TEXTS, TEXTS, st.floats(-1, 1), st.none() | st.builds(Opinion, st.floats(-9, 9), st.floats(-9, 9)))
def test_any_two_texts_get_a_verdict_and_it_does_not_depend_on_their_order(
    left: str, right: str, cosine: float, opinion: Opinion | None
) -> None:
    assert judge(left, right, cosine, opinion) == judge(right, left, cosine, opinion)


@given(TEXTS, st.floats(-1, 1))
def test_a_text_is_the_same_as_itself(text: str, cosine: float) -> None:
    assert judge(text, text, cosine) == SAME
