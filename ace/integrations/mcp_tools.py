"""What an agent may ask of a playbook over MCP: every tool is one call of the SDK, or a few.

tool             role     writes                 asks
get_context      read                            which bullets fit this task?
record_outcome   write    one episode            this came of it
search_bullets   read                            is there advice about this?
get_bullet       read                            why is this bullet there?
add_insight      write    a bullet, or a vote    this is worth knowing next time
list_reviews     review                          what waits for a person?
approve_review   review   a bullet               merge it
reject_review    review   a decision             turn it down

The docstrings here are what the model reads that chooses among them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field

from ace.core.journal import canonical
from ace.core.rendering import render_bullet
from ace.core.validation import MAX_ADVICE_CHARS
from ace.errors import InvalidInput
from ace.integrations.mcp_answers import (
    Answer,
    BulletAnswer,
    ContextAnswer,
    FoundBullets,
    InsightAnswer,
    Recorded,
    ReviewAnswer,
    ReviewList,
)
from ace.integrations.mcp_desk import desk
from ace.integrations.needs import needs
from ace.models.access import Role
from ace.models.insight import Insight
from ace.models.playbook import PlaybookStage, Section
from ace.models.review import ReviewState
from ace.sdk import calls
from ace.sdk.calls import MAX_K, MAX_PAGE, MAX_QUERY
from ace.sdk.values import Context as Given
from ace.sdk.values import Found
from ace.utils.episode_report import MAX_QUERY_CHARS, VERIFIERS, StepIn, Verifier, Word

with needs("mcp"):
    from mcp.server.mcpserver import Context
    from mcp.types import CallToolResult, TextContent


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A tool, and what is said of it: who may, does it only read, can it take away, is doing it again nothing more."""

    function: Callable[..., Any]
    role: Role
    reads: bool = False
    destroys: bool = False
    repeats: bool = True

    @property
    def name(self) -> str:
        return str(self.function.__name__)


NEWEST = 50  # entries of a bullet's history
OFFERS: list[Offer] = []
F = TypeVar("F", bound=Callable[..., Any])


def offered(role: Role, **hints: bool) -> Callable[[F], F]:
    """Let agents of this role call it."""

    def note(function: F) -> F:
        OFFERS.append(Offer(function=function, role=role, **hints))
        return function

    return note


NOTHING = BeforeValidator(lambda value: "" if value is None else value)  # models send null for what they leave out
DomainName = Annotated[
    str, NOTHING, Field(max_length=64, description="whose playbook; leave it out where there is only one")
]
Task = Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS, description="the task, as it was given to you")]
Long = Annotated[str, NOTHING, Field(max_length=MAX_QUERY_CHARS)]
BulletName = Annotated[
    str, Field(min_length=1, max_length=200, description="a bullet's id, such as strategy-k3j5x7q2ab")
]
ReviewName = Annotated[str, Field(min_length=1, max_length=200, description="an item's id, as list_reviews shows it")]
Whole = Field(strict=True, ge=1, le=MAX_PAGE, description="so many at most")


@offered(Role.READ, reads=True)
async def get_context(
    ctx: Context,
    task: Task,
    k: Annotated[int | None, Field(strict=True, ge=0, le=MAX_K, description="bullets at most")] = None,
    domain: DomainName = "",
) -> Annotated[CallToolResult, ContextAnswer]:
    """Get what was learned from earlier tasks like this one. Call it before you begin a task.

    The bullets are advice from experience, not orders. Keep the receipt, and note the ids of the bullets you use:
    record_outcome wants both.
    """
    here = desk(ctx)
    given = await here.door.send(calls.context(here.of(domain), task, k, None, None, None))
    return _answer(ContextAnswer.model_validate(given), told(given))


def _answer(answer: Answer, text: str) -> CallToolResult:
    """An answer whose text is shorter than its JSON."""
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=answer.model_dump(mode="json")
    )


def told(given: Given) -> str:
    """A context for the prompt, and its receipt."""
    return f"{given.text or 'Nothing that was learned fits this task.'}\n\nreceipt: {given.receipt}"


@offered(Role.WRITE)
async def record_outcome(
    ctx: Context,
    task: Task,
    answer: Annotated[Long, Field(description="what you answered or did")],
    receipt: Annotated[
        str, NOTHING, Field(description="as get_context gave it; without one no bullet is voted on")
    ] = "",
    correct: Annotated[
        bool | None, Field(strict=True, description="was it right? Only if something verified it; else leave it out")
    ] = None,
    verifier: Annotated[Verifier | None, Field(description="who says so; needed with `correct`")] = None,
    cited: Annotated[list[Word], Field(max_length=100, description="ids of the bullets that you used")] = [],  # noqa: B006
    trace: Annotated[list[StepIn], Field(max_length=1000, description="the turns it took, tools and all")] = [],  # noqa: B006
    expected: Annotated[Long, Field(description="the right answer, where it is known")] = "",
    detail: Annotated[Long, Field(description="test output, an error's text, a remark")] = "",
    domain: DomainName = "",
) -> Recorded:
    """Report what came of a task, so that the playbook learns. Call it when a task is done, also when it failed.

    Say `correct` only when a test, a comparison, a person or the world verified it, and name the `verifier`; a guess of
    your own is worth nothing. The same report again changes nothing.
    """
    here = desk(ctx)
    if correct is not None and verifier is None:
        raise InvalidInput("verifier", "is missing", f"Say who verified: {', '.join(VERIFIERS)}")
    fields = calls.said(
        receipt, task=task, answer=answer, correct=correct, verifier=verifier, cited=cited, expected=expected or None,
        detail=detail or None, trace=[step.model_dump() for step in trace],
    )  # fmt: skip
    named = fields if receipt else {**fields, "episode_id": _same(fields)}
    return Recorded.model_validate(await here.door.send(calls.report(here.of(domain), named)))


def _same(fields: dict[str, Any]) -> str:
    """The id of a report that has no receipt: the same words are the same report."""
    return f"mcp-{hashlib.sha256(canonical(fields)).hexdigest()[:32]}"


@offered(Role.READ, reads=True)
async def search_bullets(
    ctx: Context,
    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY, description="what they should be about")],
    stage: Annotated[PlaybookStage | None, Field(description="only this stage")] = None,
    limit: Annotated[int, Whole] = 10,
    domain: DomainName = "",
) -> Annotated[CallToolResult, FoundBullets]:
    """Find bullets by meaning, of every stage: to look around. For work on a task call get_context instead."""
    here = desk(ctx)
    found = await here.door.send(calls.search(here.of(domain), query, stage, limit))
    return _answer(FoundBullets(bullets=found), "\n".join(map(_line, found)) or "Nothing was found.")


def _line(found: Found) -> str:
    own = found.bullet
    counted = f"{own.stage}, +{own.helpful_count} -{own.harmful_count}, cosine {found.similarity:.2f}"
    return f"{render_bullet(own)} ({counted})"


@offered(Role.READ, reads=True)
async def get_bullet(ctx: Context, bullet_id: BulletName, domain: DomainName = "") -> BulletAnswer:
    """Show one bullet with its evidence (votes, tests, the verdict on it) and its history, entry by entry."""
    here = desk(ctx)
    own = here.of(domain)
    bullet = await here.door.send(calls.bullet(own, bullet_id))
    evidence = await here.door.send(calls.evidence(own, bullet_id))
    entries = await here.door.send(calls.history(own, bullet_id))
    return BulletAnswer(bullet=bullet, evidence=evidence, entries=len(entries), history=entries[-NEWEST:])


@offered(Role.WRITE, repeats=False)
async def add_insight(
    ctx: Context,
    content: Annotated[
        str, Field(min_length=1, max_length=MAX_ADVICE_CHARS, description="one general, actionable sentence or two")
    ],
    section: Annotated[Section, Field(description="what kind of advice it is")] = Section.STRATEGY,
    confidence: Annotated[float, Field(strict=True, ge=0, le=1, description="how sure; a doubtful one waits")] = 1.0,
    episode_id: Annotated[
        str,
        NOTHING,
        Field(max_length=200, description="the receipt_id of the attempt that taught it: it counts once"),
    ] = "",
    domain: DomainName = "",
) -> InsightAnswer:
    """Add a lesson that will help with later tasks of this kind: general, true, and never a secret or personal data.

    What says the same as a bullet there is becomes a vote for it; what contradicts one, or is doubtful, waits for a
    person. New bullets are on trial at first.
    """
    here = desk(ctx)
    lesson = Insight(content=content, section=section, confidence=confidence)
    learned = await here.door.send(calls.learn(here.of(domain), [lesson], episode_id or None, None))
    return InsightAnswer.model_validate(learned.outcomes[0])


@offered(Role.REVIEW, reads=True)
async def list_reviews(
    ctx: Context,
    state: Annotated[ReviewState, Field(description="waiting: the queue")] = ReviewState.WAITING,
    limit: Annotated[int, Whole] = 20,
    cursor: Annotated[str, NOTHING, Field(max_length=200, description="`next` of the page before")] = "",
    domain: DomainName = "",
) -> ReviewList:
    """List the lessons that wait for a decision, each with the reasons it waits for."""
    here = desk(ctx)
    found = await here.door.send(calls.reviews(here.of(domain), state, limit, cursor))
    return ReviewList(reviews=found, next=found[-1].id if len(found) == limit else None)


@offered(Role.REVIEW)
async def approve_review(
    ctx: Context,
    review_id: ReviewName,
    content: Annotated[str, NOTHING, Field(max_length=MAX_ADVICE_CHARS, description="better words, if need be")] = "",
    domain: DomainName = "",
) -> ReviewAnswer:
    """Let a waiting lesson into the playbook, as it is or in better words. Do it only for the person who decides."""
    here = desk(ctx)
    return ReviewAnswer(review=await here.door.send(calls.approve(here.of(domain), review_id, content or None)))


@offered(Role.REVIEW, destroys=True)
async def reject_review(
    ctx: Context,
    review_id: ReviewName,
    reason: Annotated[str, Field(min_length=1, max_length=1000, description="why; it is kept")],
    domain: DomainName = "",
) -> ReviewAnswer:
    """Turn a waiting lesson down, with a reason. The same advice is then not proposed again."""
    here = desk(ctx)
    return ReviewAnswer(review=await here.door.send(calls.reject(here.of(domain), review_id, reason)))
