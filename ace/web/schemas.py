"""What goes in and out, in the words of the HTTP interface. Unknown fields are refused, types are not guessed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from ace.core.validation import DOMAIN_PATTERN, MAX_ADVICE_CHARS
from ace.models.access import Role
from ace.models.episode import EpisodeState
from ace.models.insight import Tag
from ace.models.integrity import Tampering
from ace.models.playbook import PlaybookStage, Section, Selection, SourceClass, Traffic
from ace.models.review import ReviewState
from ace.utils.episode_report import MAX_QUERY_CHARS, WORDS
from ace.utils.episode_report import Strict as Strict
from ace.utils.episode_report import Word as Word

MAX_INSIGHTS, MAX_VOTES = 300, 300

DomainName = Annotated[str, Field(pattern=f"^{DOMAIN_PATTERN}$")]


def _whole(value: Any) -> Any:
    """12.0 is an integer in JSON Schema; "12" and true are none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)


class ContextRequest(Strict):
    """A task that wants bullets."""

    task: str = Field(
        min_length=1,
        max_length=MAX_QUERY_CHARS,
        description="the task, as the agent is given it",
        json_schema_extra=WORDS,
    )
    k: Annotated[int, Field(strict=True, ge=0, le=100), WHOLE] | None = Field(
        None, description="bullets at most (a whole playbook: all, unless 0); default: ACE_K"
    )
    token_budget: Annotated[int, Field(strict=True, ge=1), WHOLE] | None = Field(
        None, description="tokens of bullets at most"
    )
    selection: Selection | None = Field(
        None, description="the nearest bullets, or the whole playbook, oldest first; default: ACE_SELECTION"
    )
    traffic: Traffic | None = Field(None, description="which stages are shown; default: ACE_ENV")
    session: str | None = Field(
        None, min_length=1, max_length=200, description="tasks of one session draw the same lots"
    )


class ContextBullet(BaseModel):
    """One bullet shown."""

    id: str
    content: str
    section: Section
    stage: PlaybookStage
    similarity: float = Field(description="cosine to the task, -1..1; 0 where the whole playbook is shown")
    score: float = Field(description="what it was ranked by: similarity and trust")


class ContextResponse(BaseModel):
    """The bullets that fit, best first, or all, oldest first; `text` is for the prompt, `receipt` for the report."""

    domain: str
    bullets: list[ContextBullet]
    text: str
    tokens: int = Field(description="about how many tokens `text` is")
    position: int = Field(description="the journal's position these bullets are of")
    held_out: bool = Field(description="shown nothing by lot, so that it can be told what the playbook is worth")
    receipt: str
    receipt_id: str


class InsightIn(Strict):
    """One lesson."""

    content: str = Field(min_length=1, max_length=MAX_ADVICE_CHARS, json_schema_extra=WORDS)
    section: Section = Section.STRATEGY
    tag: Tag = Field(Tag.HELPFUL, description="the vote a bullet that says the same receives")
    confidence: float = Field(1.0, ge=0, le=1, strict=True)


class VoteIn(Strict):
    """What a bullet did in this episode."""

    bullet_id: Word
    tag: Tag


class InsightsRequest(Strict):
    """What one episode teaches."""

    insights: list[InsightIn] = Field(default_factory=list, max_length=MAX_INSIGHTS)
    votes: list[VoteIn] = Field(default_factory=list, max_length=MAX_VOTES)
    episode_id: Word | None = Field(None, description="one vote per bullet per episode; default: a new one")
    task_id: Word | None = None


class InsightOut(BaseModel):
    """What became of one insight, in the order they were sent."""

    outcome: Literal["added", "merged", "repeated", "linked", "held", "rejected"]
    bullet_id: str = Field(description="the bullet's id; of `held` and `rejected` the review item's")
    similarity: float
    contradicts: list[str]
    reasons: list[str] = Field(description="why it waits for a person; empty unless `held` or `rejected`")


class InsightsResponse(BaseModel):
    domain: str
    episode_id: str
    outcomes: list[InsightOut]
    position: int


class EpisodeTaken(BaseModel):
    """The report is durable. `new` is false when it had been sent before."""

    domain: str
    episode_id: str
    state: EpisodeState
    new: bool


class EpisodeOut(BaseModel):
    """How far a report has come; `error` says why the last attempt failed, `result` what the merge did."""

    episode_id: str
    domain: str
    state: EpisodeState
    attempts: int
    error: str | None
    result: dict[str, Any] | None


class EpisodePage(BaseModel):
    """Reports by id; `counts` are of the whole domain, by state."""

    episodes: list[EpisodeOut]
    counts: dict[EpisodeState, int]
    next: str | None


class BulletOut(BaseModel):
    """A bullet as it is now."""

    id: str
    domain: str
    content: str
    section: Section
    stage: PlaybookStage
    helpful_count: int
    harmful_count: int
    origin: dict[str, Any]


class OneBullet(BulletOut):
    """One bullet as it is now."""

    superseded_by: str | None = Field(
        description="of a bullet in the archive because another says the same: that other"
    )


class ListedBullet(BulletOut):
    born_at_position: int
    created_at: str


class BulletPage(BaseModel):
    """Bullets, the newest first; `next` is the cursor of the page after, null at the end."""

    bullets: list[ListedBullet]
    next: str | None


class FoundBullet(BulletOut):
    """A bullet and its cosine to the words, -1..1."""

    similarity: float


class SearchOut(BaseModel):
    """The nearest first."""

    bullets: list[FoundBullet]


class MoveRequest(Strict):
    """Why."""

    reason: str = Field(min_length=1, max_length=1000)


class ReviewOut(BaseModel):
    """An insight that waits for a person, or what was decided about it."""

    id: str = Field(description="also the id of the bullet that it would be, as it is")
    domain: str
    state: ReviewState
    content: str
    section: Section
    source: SourceClass
    confidence: float
    reasons: list[str]
    episode_id: str
    task_id: str | None
    model: str | None
    principal: str | None
    shown: list[str]
    created_at: str
    decided_at: str | None
    decided_by: str | None
    decision: str | None = Field(description="why it was rejected; `edited` where it was approved in other words")
    bullet_id: str | None = Field(description="the bullet it became, or was merged into")


class ReviewPage(BaseModel):
    """Items, those that came first in front; `counts` are of the whole domain, by state."""

    reviews: list[ReviewOut]
    counts: dict[ReviewState, int]
    next: str | None


class Approval(Strict):
    """As it is, or in these words."""

    content: str | None = Field(None, min_length=1, max_length=MAX_ADVICE_CHARS)


class Rejection(Strict):
    """Why."""

    reason: str = Field(min_length=1, max_length=1000)


class EntryOut(BaseModel):
    """One change, as the journal has it."""

    seq: int
    at: str
    kind: str
    body: dict[str, Any]
    previous: str
    hash: str


class JournalPage(BaseModel):
    """Entries in order; `next` is the `after` of the page that follows, null at the end."""

    entries: list[EntryOut]
    head: int
    next: int | None


class VerificationOut(BaseModel):
    """`kind` and `first_bad` name the first fault; `anchored` is the last entry vouched for outside the database."""

    domain: str
    entries: int
    sound: bool
    fault: str
    kind: Tampering | None
    first_bad: int | None
    anchored: int | None
    anchored_at: str | None


class DomainOut(BaseModel):
    """One domain, its bullets by stage."""

    domain: str
    bullets: dict[PlaybookStage, int]
    position: int


class DayUsageOut(BaseModel):
    """A day of UTC. Tokens in and out together; dollars where the price is known."""

    domain: str
    day: str
    calls: int
    tokens: int
    cost_usd: float


class LimitsOut(BaseModel):
    """Of a day; null where there is none."""

    calls: int | None
    tokens: int | None
    cost_usd: float | None


class UsageOut(BaseModel):
    """`used_up` says which limit leaves no room today, null when there is room. `days`: the latest first."""

    domain: str
    limits: LimitsOut
    today: DayUsageOut
    used_up: str | None
    days: list[DayUsageOut]


class BreakerOut(BaseModel):
    name: str
    state: Literal["closed", "open", "half_open"]
    total_failures: int
    total_successes: int
    open_count: int


class KeyRequest(Strict):
    """A key to be made."""

    role: Role
    domains: list[DomainName] | None = Field(
        None, min_length=1, max_length=1000, description="the domains it covers; default: all"
    )
    label: str = Field("", max_length=200)
    expires_in_s: float | None = Field(None, gt=0, lt=1e10, description="seconds; default: never")


class KeyOut(BaseModel):
    """A key, without its secret."""

    id: str
    role: Role
    domains: list[str] | None
    label: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class NewKey(KeyOut):
    token: str | None = Field(description="the key itself; it is shown this once")


class HealthOut(BaseModel):
    """The state of things."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    database: str
    faiss: str
    circuit_breakers: dict[str, Literal["closed", "open", "half_open"]]


class ProblemOut(BaseModel):
    """RFC 9457: what is wrong, which field, what to do."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    remedy: str | None = None
    errors: list[dict[str, str]] | None = None
