"""A report of what an agent did with one task: the same fields and rules over HTTP and in a file.

Unknown fields are refused, types are not guessed; the first thing wrong is named by its field.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ace.core.validation import check_text
from ace.errors import InvalidInput
from ace.models.episode import Episode
from ace.models.receipt import Receipt
from ace.models.task import Feedback, FeedbackSource, Step, Task, Trajectory

MAX_QUERY_CHARS = 100_000
VERIFIERS = {
    "exact_match": FeedbackSource.GROUND_TRUTH,
    "test": FeedbackSource.TESTS,
    "human": FeedbackSource.HUMAN,
    "error": FeedbackSource.ERROR,
    "environment": FeedbackSource.ENVIRONMENT,
    "llm_judge": FeedbackSource.JUDGE,
}
"""Who says whether the answer was right, in the words of the interface."""

Verifier = Literal["exact_match", "test", "human", "error", "environment", "llm_judge"]

WORDS: dict[str, Any] = {"pattern": r"[^\s\x1c-\x1f\x85]"}  # told to the caller; what is blank is refused further in

Word = Annotated[str, Field(min_length=1, max_length=200)]


class Strict(BaseModel):
    """A request: nothing but the fields named here."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StepIn(Strict):
    """One turn of a tool-using agent."""

    thought: str = ""
    tool: str = ""
    arguments: str = ""
    observation: str = ""


class OutcomeIn(Strict):
    """What came of the answer, and who says so."""

    correct: bool | None = Field(None, strict=True, description="null: nobody can tell")
    verifier: Verifier | None = None
    expected: str | None = Field(None, max_length=MAX_QUERY_CHARS, description="the right answer, where it is known")
    detail: str = Field("", max_length=MAX_QUERY_CHARS, description="test output, an error's text, a remark")


class EpisodeReport(Strict):
    """What an agent did with one task."""

    receipt: str | None = Field(None, description="as `context` gave it; without one, no bullet can be voted on")
    episode_id: Word | None = Field(None, description="default: the receipt's id")
    task: str = Field(min_length=1, max_length=MAX_QUERY_CHARS, json_schema_extra=WORDS)
    task_id: Word | None = None
    context: str = Field("", max_length=MAX_QUERY_CHARS)
    answer: str = Field("", max_length=MAX_QUERY_CHARS)
    reasoning: str = Field("", max_length=MAX_QUERY_CHARS)
    cited: list[Word] = Field(default_factory=list, max_length=100, description="ids of the bullets it says it used")
    trace: list[StepIn] = Field(default_factory=list, max_length=1000)
    outcome: OutcomeIn = OutcomeIn(correct=None, expected=None, detail="")
    latency_s: float = Field(0.0, ge=0, le=1e9)
    error: str | None = Field(None, max_length=MAX_QUERY_CHARS)


def to_episode(
    body: EpisodeReport, *, domain_id: str, own: str, receipt: Receipt | None, principal: str | None, now: float
) -> Episode:
    """The episode of this id that the report tells of. Raises InvalidInput naming the field that cannot be used."""
    check_text("task", body.task, limit=len(body.task))
    outcome = body.outcome
    if outcome.correct is not None and outcome.verifier is None:
        raise InvalidInput("outcome.verifier", "is missing", f"Say who verified: {', '.join(VERIFIERS)}")
    source = VERIFIERS[outcome.verifier] if outcome.verifier else FeedbackSource.NONE
    task = Task(id=body.task_id or own, question=body.task, context=body.context, ground_truth=outcome.expected)
    trajectory = Trajectory(
        task_id=task.id,
        episode_id=own,
        answer=body.answer,
        reasoning=body.reasoning,
        cited=tuple(body.cited),
        shown=receipt.shown if receipt else (),
        steps=tuple(Step(**step.model_dump()) for step in body.trace),
        latency_s=body.latency_s,
        error=body.error,
    )
    feedback = Feedback(correct=outcome.correct, source=source, expected=outcome.expected, detail=outcome.detail)
    return Episode(id=own, domain_id=domain_id, task=task, trajectory=trajectory, feedback=feedback,
                   principal=principal, reported_at=now, receipt=receipt)  # fmt: skip
