"""What an agent library tells, as an episode keeps it."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from ace.integrations.noting import LONGEST_ANSWER, LONGEST_STEP, MOST_STEPS, answered, short, used, words
from ace.sdk.episode import Notes


class Answer(BaseModel):
    kilograms: float


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("5 kg", "5 kg"),
        ({"kg": 5, "unit": "ü"}, '{"kg": 5, "unit": "ü"}'),
        (Answer(kilograms=5.4), '{"kilograms":5.4}'),
        ([1, range(2)], '[1, "range(0, 2)"]'),
    ],
)
def test_a_value_as_text(value: object, text: str) -> None:
    assert words(value) == text


def test_of_a_long_text_both_ends_are_kept() -> None:
    text = short("a" * 50 + "b" * 50, 40)
    assert len(text) <= 40 and text.startswith("aaa") and text.endswith("bbb") and "…" in text


def test_whatever_a_run_says_the_episode_can_be_reported() -> None:
    notes = Notes("a", "task", {})
    answered(notes, "x" * 2 * LONGEST_ANSWER)
    for _ in range(MOST_STEPS + 5):
        used(notes, "read", {"path": "/"}, "y" * 2 * LONGEST_STEP)
    report = notes.report()
    assert len(report["answer"]) <= LONGEST_ANSWER and len(report["trace"]) == MOST_STEPS
    assert len(report["trace"][0].observation) <= LONGEST_STEP
