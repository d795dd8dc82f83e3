"""From what was said of a trace to a verdict: was the answer right, and who says so?

    a score that is asked for by name, else one whose name means that the answer was right: correctness, user feedback …
    its word, where it is one of those below; else its number: from `right_from` on it is right, below it is not;
    without that, 1 is right, 0 is wrong, and what lies between is no verdict

The strongest source speaks: a person before a model that judges. Where equals disagree, nobody can tell. Every score is
told to the Reflector as it was given, those without a verdict too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ace.models.task import Feedback, FeedbackSource
from ace.models.trace import Score

MEAN_RIGHT = frozenset({
    "correct", "correctness", "iscorrect", "accuracy", "success", "succeeded", "passed", "pass", "exactmatch", "score",
    "verdict", "outcome", "resolved", "reward", "qacorrectness", "qacorrect", "userfeedback", "feedback", "thumbs",
    "thumbsup",
})  # fmt: skip
RIGHT = frozenset({
    "correct", "right", "true", "yes", "pass", "passed", "success", "succeeded", "good", "positive", "accurate",
    "thumbsup", "up", "like", "👍",
})  # fmt: skip
WRONG = frozenset({
    "incorrect", "wrong", "false", "no", "fail", "failed", "failure", "bad", "negative", "inaccurate", "thumbsdown",
    "down", "dislike", "👎",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Yardstick:
    """Which score says whether an answer was right, and from which number on. `name` empty: those that mean it."""

    name: str = ""
    right_from: float | None = None


USUAL = Yardstick()


def feedback(scores: Sequence[Score], yardstick: Yardstick = USUAL, expected: str | None = None) -> Feedback:
    """What the scores come to."""
    said = [(score.source, right) for score in scores if (right := _right(score, yardstick)) is not None]
    detail = "\n".join(map(_told, scores))
    if not said:
        return Feedback(correct=None, source=FeedbackSource.NONE, expected=expected, detail=detail)
    order = list(FeedbackSource)
    strongest = min((source for source, _ in said), key=order.index)
    verdicts = {right for source, right in said if source == strongest}
    correct = verdicts.pop() if len(verdicts) == 1 else None
    return Feedback(correct=correct, source=strongest, expected=expected, detail=detail)


def _right(score: Score, yardstick: Yardstick) -> bool | None:
    if not _asked_for(score, yardstick):
        return None
    if (word := _plain(score.label)) in RIGHT | WRONG:
        return word in RIGHT
    if score.value is None:
        return None
    if yardstick.right_from is not None:
        return score.value >= yardstick.right_from
    return {1.0: True, 0.0: False}.get(score.value)


def _asked_for(score: Score, yardstick: Yardstick) -> bool:
    return score.name == yardstick.name if yardstick.name else _plain(score.name) in MEAN_RIGHT


def _plain(text: str) -> str:
    return re.sub(r"[\s_.-]", "", text).casefold()


def _told(score: Score) -> str:
    value = "" if score.value is None else f"{score.value:g}"
    said = " ".join(filter(None, (value, score.label)))
    return f"{score.name}: {said} ({score.source})" + (f": {score.comment}" if score.comment else "")
