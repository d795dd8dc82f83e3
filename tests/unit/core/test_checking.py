"""Whether an answer is right is decided by the truth's kind, and never guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.checking import canonical_text, check, read_number
from ace.errors import InvalidInput
from ace.models.task import AnswerKind, FeedbackSource, Task

NUMBERS = [
    ("money", "$1,234.50", "1234.50"),
    ("percent", "12%", "12"),
    ("about", "≈ 0.69", "0.69"),
    ("exponent", "1.2e3", "1200"),
    ("minus sign of typography", "−5", "-5"),
    ("minus before the currency", "-$5", "-5"),
    ("minus after the currency", "$-5", "-5"),
    ("end of a sentence", "It is 2.0.", "2.0"),
    ("a ratio", "2.5x", "2.5"),
    ("a currency's name", "USD 12.5", "12.5"),
    ("no digit before the point", ".5", "0.5"),
    ("the last of several after =", "0.01 + 1.5 * 0.03 = 0.055", "0.055"),
    ("the one after 'answer'", "From 3 and 4 the answer is 5, not 6", "5"),
    ("a digit in a name", "In Q3 it was 12", "12"),
]
UNREADABLE = [
    ("nothing", ""),
    ("words", "twelve"),
    ("several without a sign", "3 and 4"),
    ("a range", "10-5"),
    ("a version", "1.2.3"),
    ("a decimal comma", "0,5"),
    ("commas in the wrong place", "1,23"),
    ("an ordinal", "3rd"),
    ("only signs", "answer ="),
]


def number_task(truth: str, decimals: int = 2) -> Task:
    return Task(id="t", question="?", ground_truth=truth, kind=AnswerKind.NUMBER, decimals=decimals)


@pytest.mark.parametrize(("text", "value"), [row[1:] for row in NUMBERS], ids=[row[0] for row in NUMBERS])
def test_a_number_is_read_out_of_what_stands_around_it(text: str, value: str) -> None:
    assert read_number(text) == Decimal(value)


@pytest.mark.parametrize("text", [row[1] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE])
def test_what_states_no_one_number_is_not_read(text: str) -> None:
    assert read_number(text) is None
    verdict = check(number_task("1"), text)
    assert verdict.correct is False
    assert "no number could be read" in verdict.detail


@pytest.mark.parametrize(
    ("truth", "answer", "decimals", "correct"),
    [
        ("2.0", "2", 2, True),
        ("0.69", "0.685", 2, True),
        ("0.69", "0.6849", 2, False),
        ("27432.79", "$27,432.79", 2, True),
        ("0.06", "6%", 2, False),
        ("1000000", "1e6", 0, True),
        ("5", "-5", 2, False),
        ("-0.001", "0", 2, True),
        ("1", "1e400", 2, False),
        ("1e400", "1e400", 2, True),
    ],
)
def test_numbers_are_equal_when_they_are_once_rounded(truth: str, answer: str, decimals: int, correct: bool) -> None:
    assert check(number_task(truth, decimals), answer).correct is correct


@pytest.mark.parametrize(
    ("answer", "correct"),
    [
        ("Revenues", True),
        (" revenues. ", True),
        ("**Revenues**", True),
        ('"REVENUES"', True),
        ("Ｒevenues", True),
        ("Revenues net", False),
        ("", False),
        ("…", False),
    ],
)
def test_texts_are_equal_but_for_case_edges_and_spaces(answer: str, correct: bool) -> None:
    verdict = check(Task(id="t", question="?", ground_truth="Revenues"), answer)
    assert (verdict.correct, verdict.source, verdict.expected) == (correct, FeedbackSource.GROUND_TRUTH, "Revenues")
    assert bool(verdict.detail) is not correct


def test_without_a_truth_there_is_no_verdict() -> None:
    verdict = check(Task(id="t", question="?"), "anything")
    assert (verdict.correct, verdict.source, verdict.expected) == (None, FeedbackSource.NONE, None)


def test_a_truth_that_is_no_number_is_the_datasets_fault() -> None:
    with pytest.raises(InvalidInput, match="ground_truth of task t"):
        check(number_task("a lot"), "1")


def test_a_truth_of_punctuation_alone_equals_itself() -> None:
    assert check(Task(id="t", question="?", ground_truth="!"), "!").correct is True
    assert check(Task(id="t", question="?", ground_truth="!"), "?").correct is False


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_every_number_equals_itself_however_it_is_written(value: Decimal) -> None:
    task = number_task(str(value))
    for written in (f"{value}", f"{value:,}", f"${value}", f"The answer is {value}.", f"x = 1 = {value}"):
        assert check(task, written).correct is True


@given(st.text())
def test_every_text_equals_itself_and_any_answer_gets_a_verdict(text: str) -> None:
    assert check(Task(id="t", question="?", ground_truth=text), f"  {text} ").correct is True
    assert check(number_task("1"), text).correct in (True, False)


@given(st.text())
def test_the_canonical_text_is_its_own_canonical_text(text: str) -> None:
    assert canonical_text(canonical_text(text)) == canonical_text(text)
