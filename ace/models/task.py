"""A task, what the agent did with it, and what came of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class AnswerKind(StrEnum):
    """How an answer is compared with the truth."""

    TEXT = "text"  # equal, after case folding and trimming
    NUMBER = "number"  # equal when both are rounded to `Task.decimals`


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One thing to do. `options`, when given, are all the answers allowed; a split never parts a `group`."""

    id: str
    question: str
    context: str = ""
    options: tuple[str, ...] = ()
    ground_truth: str | None = None
    kind: AnswerKind = AnswerKind.TEXT
    decimals: int = 2
    group: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What calls cost: tokens as the server counted them, money in US dollars (0 for a local model)."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(calls=self.calls + other.calls, prompt_tokens=self.prompt_tokens + other.prompt_tokens,
                     cached_tokens=self.cached_tokens + other.cached_tokens,
                     completion_tokens=self.completion_tokens + other.completion_tokens,
                     cost_usd=self.cost_usd + other.cost_usd)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One turn of a tool-using agent: thought, tool, arguments, what the tool said."""

    thought: str
    tool: str
    arguments: str
    observation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Trajectory:
    """What a Generator did with one task. `error` is set, and `answer` empty, when the model failed."""

    task_id: str
    episode_id: str
    answer: str = ""
    reasoning: str = ""
    cited: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    usage: Usage = field(default_factory=Usage)
    latency_s: float = 0.0
    error: str | None = None


class FeedbackSource(StrEnum):
    """What the verdict rests on, strongest first."""

    GROUND_TRUTH = "ground_truth"
    TESTS = "tests"
    HUMAN = "human"  # a person judged
    ERROR = "error"
    ENVIRONMENT = "environment"
    JUDGE = "judge"  # a model judged
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Feedback:
    """What came of an answer. `correct` is None when nobody can tell."""

    correct: bool | None
    source: FeedbackSource = FeedbackSource.NONE
    expected: str | None = None
    detail: str = ""
