"""What the Reflector asks a model for, in few words. The first sentence depends on what the verdict rests on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import dspy
from pydantic import BaseModel, Field

from ace.models.task import FeedbackSource

SectionName = Literal["strategy", "formula", "example", "mistake", "tool", "other"]
TagName = Literal["helpful", "harmful", "neutral"]

GROUNDS: dict[FeedbackSource, str] = {
    FeedbackSource.GROUND_TRUTH: "The right answer is given: work out from it what the agent did well or wrong.",
    FeedbackSource.TESTS: "The results of tests are given: work out from them what the agent did well or wrong.",
    FeedbackSource.HUMAN: "A person's verdict is given: work out from it what the agent did well or wrong.",
    FeedbackSource.ERROR: "The error it met is given: work out what caused it and how to avoid it.",
    FeedbackSource.ENVIRONMENT: "What its environment said is given: judge the attempt by that alone.",
    FeedbackSource.JUDGE: "Another model's verdict is given: it may be wrong, so keep to what the attempt bears out.",
    FeedbackSource.NONE: "Nobody has checked the answer: keep to what can be seen in the attempt itself.",
}
LESSONS = (
    "Write one or two lessons that will help with other tasks of this kind: what to do, with the numbers, names or "
    "worked example it takes."
)
TAGS = "Tag each playbook entry the agent cited: did it help or harm?"


class LessonText(BaseModel):
    """One lesson, as the model writes it."""

    section: SectionName = "strategy"
    content: str = Field(description="the advice")
    confidence: float = Field(default=0.8, description="0 to 1")


class Reflect(dspy.Signature):  # type: ignore[misc]  # DSPy ships no types
    """An agent tried this task."""

    task: str = dspy.InputField()
    playbook: str = dspy.InputField(default="")
    attempt: str = dspy.InputField()
    verdict: str = dspy.InputField()
    tags: dict[str, TagName] = dspy.OutputField(default_factory=dict)
    lessons: list[LessonText] = dspy.OutputField()


_Literal: Any = Literal  # annotations made at run time, which no type checker follows
_Dict: Any = dict


@lru_cache(maxsize=64)
def reflection(source: FeedbackSource, cited: tuple[str, ...]) -> Any:
    """The signature for this kind of verdict, with exactly the cited ids to tag."""
    fields = {name: (field.annotation, field) for name, field in Reflect.fields.items()}
    sentences = [Reflect.instructions, GROUNDS[source], LESSONS]
    if cited:
        fields["tags"] = (_Dict[_Literal[cited], TagName], Reflect.fields["tags"])
        sentences.append(TAGS)
    else:
        del fields["tags"]
    return dspy.Signature(fields, " ".join(sentences))
