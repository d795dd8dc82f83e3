"""Is an answer right? The truth's own kind decides how the two are compared.

    kind     answer                                           compared
    TEXT     case, outer punctuation, white space ignored     equal
    NUMBER   "$1,234.50" "12%" "≈ 0.69" "1.2e3" "2.5x"        equal once both are rounded to the task's decimals
             several numbers: the last one after "answer",
             "=" or "≈"; without such a sign it is not read

Rounding is half up. A sign or unit around a number is dropped, never converted: "12%" is 12. No truth, no verdict.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal, DecimalException, localcontext

from ace.errors import InvalidInput
from ace.models.task import AnswerKind, Feedback, FeedbackSource, Task

SHOWN_CHARS = 80
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_AFTER = r"(?:%|[x×](?!\w)|(?!\w|[.,]\d))"
_NUMBER = re.compile(rf"(?<![\w.,])([-+−]?)\s?[$€£¥]?\s?((?:{_DIGITS})(?:[eE][-+]?\d{{1,3}})?){_AFTER}")
_SIGNPOST = re.compile(r"\banswer\b|[=≈]", re.IGNORECASE)
_EDGE = "P", "S", "Z"  # Unicode categories that do not count at the ends of a text


def check(task: Task, answer: str) -> Feedback:
    """The verdict on an answer. Raises InvalidInput when the truth of a NUMBER task is no number."""
    truth = task.ground_truth
    if truth is None:
        return Feedback(correct=None, source=FeedbackSource.NONE)
    compare = _compare_numbers if task.kind == AnswerKind.NUMBER else _compare_texts
    detail = compare(task, truth, answer)
    return Feedback(correct=not detail, source=FeedbackSource.GROUND_TRUTH, expected=truth, detail=detail)


def read_number(text: str) -> Decimal | None:
    """The number a text states, or None when it states none or it is not clear which."""
    numbers = list(_NUMBER.finditer(text))
    if len(numbers) > 1:
        posts = [post.end() for post in _SIGNPOST.finditer(text)]
        numbers = [n for n in numbers if posts and n.start() >= _last_followed(posts, numbers)][:1]
    return _decimal(numbers[0]) if numbers else None


def canonical_text(text: str) -> str:
    """The text as it is compared: NFKC, case folded, single spaces, no punctuation or symbols at the ends."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    kept = [i for i, char in enumerate(folded) if unicodedata.category(char)[0] not in _EDGE]
    return folded[kept[0] : kept[-1] + 1] if kept else folded


def _compare_texts(task: Task, truth: str, answer: str) -> str:
    """What is wrong with the answer, "" when nothing is."""
    del task
    return "" if canonical_text(answer) == canonical_text(truth) else f"expected {truth!r}, got {_shown(answer)}"


def _compare_numbers(task: Task, truth: str, answer: str) -> str:
    expected, given = read_number(truth), read_number(answer)
    if expected is None:
        raise InvalidInput(
            f"ground_truth of task {task.id}", f"{truth!r} is not a number", "Mend it, or use kind 'text'"
        )
    if given is None:
        return f"expected {truth}, no number could be read from {_shown(answer)}"
    if _rounded(given, task.decimals) == _rounded(expected, task.decimals):
        return ""
    return (
        f"expected {truth}, got {given:f}" if abs(given.adjusted()) < SHOWN_CHARS else f"expected {truth}, got {given}"
    )


def _last_followed(posts: list[int], numbers: list[re.Match[str]]) -> int:
    """The last signpost that a number comes after."""
    return max((post for post in posts if post <= numbers[-1].start()), default=numbers[-1].end())


def _decimal(number: re.Match[str]) -> Decimal:
    value = Decimal(number[2].replace(",", ""))
    return -value if number[1] in ("-", "−") else value


def _rounded(number: Decimal, decimals: int) -> Decimal:
    """Rounded half up; a number too large to have that many decimals is itself."""
    with localcontext() as context:
        context.prec = 60
        try:
            return number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
        except DecimalException:
            return number


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…")
