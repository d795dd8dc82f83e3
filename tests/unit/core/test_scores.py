"""What was said of a trace, and the verdict it comes to."""

from __future__ import annotations

import pytest

from ace.core.scores import Yardstick, feedback
from ace.models.task import FeedbackSource
from ace.models.trace import Score

HUMAN, JUDGE, TESTS, NONE = FeedbackSource.HUMAN, FeedbackSource.JUDGE, FeedbackSource.TESTS, FeedbackSource.NONE
GRADED = Yardstick(name="helpfulness", right_from=0.7)


def score(name: str, value: float | None = None, label: str = "", source: FeedbackSource = HUMAN) -> Score:
    return Score(name=name, value=value, label=label, source=source)


CASES: dict[str, tuple[list[Score], Yardstick, bool | None, FeedbackSource]] = {
    "one is right": ([score("correctness", 1.0)], Yardstick(), True, HUMAN),
    "nought is wrong": ([score("user-feedback", 0.0)], Yardstick(), False, HUMAN),
    "a word": ([score("Correctness", label="incorrect")], Yardstick(), False, HUMAN),
    "a word before a number": ([score("user_feedback", 1.0, "thumbs-down")], Yardstick(), False, HUMAN),
    "a thumb": ([score("user feedback", label="👍")], Yardstick(), True, HUMAN),
    "between is no verdict": ([score("correctness", 0.6)], Yardstick(), None, NONE),
    "another name is no verdict": ([score("toxicity", 0.0)], Yardstick(), None, NONE),
    "unless asked for": ([score("helpfulness", 0.7)], GRADED, True, HUMAN),
    "below the mark": ([score("helpfulness", 0.69)], GRADED, False, HUMAN),
    "asked for, the others are not": ([score("correctness", 1.0)], GRADED, None, NONE),
    "a person before a model": ([score("correctness", 0.0), score("correctness", 1.0, "", JUDGE)], Yardstick(), False,
                                HUMAN),
    "a test before a person": ([score("correctness", 1.0), score("passed", 0.0, "", TESTS)], Yardstick(), False, TESTS),
    "equals disagree": ([score("correctness", 0.0), score("feedback", 1.0)], Yardstick(), None, HUMAN),
    "nothing was said": ([], Yardstick(), None, NONE),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_scores_come_to_a_verdict(case: str) -> None:
    scores, yardstick, correct, source = CASES[case]
    told = feedback(scores, yardstick)
    assert (told.correct, told.source) == (correct, source)
    assert all(one.name in told.detail for one in scores), "every score is told, whatever its name"


def test_what_was_said_is_told_in_words() -> None:
    said = Score(name="tone", value=0.25, label="rude", comment="It shouts.", source=JUDGE)
    assert feedback([said], expected="7").detail == "tone: 0.25 rude (judge): It shouts."
    assert feedback([said], expected="7").expected == "7"
