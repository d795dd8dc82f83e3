"""Every call as a value: what is sent, and how the answer is read. Who sends it, and where to, is another matter.

call       over HTTP                                   again
context    POST /v1/domains/{d}/context                a new receipt; nothing is written
report     POST /v1/domains/{d}/episodes               one report by its episode's id, the receipt's if there is one
learn      POST /v1/domains/{d}/insights               once, by its Idempotency-Key
bullets    GET  /v1/domains/{d}/bullets                reads
search     GET  /v1/domains/{d}/search                 reads
worth      GET  /v1/domains/{d}/worth                  reads
episode    GET  /v1/domains/{d}/episodes/{id}          reads
bullet     GET  /v1/domains/{d}/bullets/{id}           reads
evidence   GET  /v1/domains/{d}/bullets/{id}/evidence  reads
history    GET  /v1/domains/{d}/bullets/{id}/history   reads
reviews    GET  /v1/domains/{d}/reviews                reads
approve    POST /v1/domains/{d}/reviews/{id}/approve   once, by its Idempotency-Key
reject     POST /v1/domains/{d}/reviews/{id}/reject    once, by its Idempotency-Key
journal    GET  /v1/domains/{d}/journal                reads
roll_back  POST /v1/domains/{d}/rollback               once, by its Idempotency-Key
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from ace.core.validation import check_text
from ace.errors import InvalidInput
from ace.models.evidence import Worth
from ace.models.insight import Insight
from ace.models.playbook import Bullet, PlaybookStage, Section, Traffic
from ace.models.review import ReviewState
from ace.models.task import Step
from ace.sdk import values
from ace.sdk.values import Context, Found, Journal, Learned, Progress, Reported, Reviewed

T = TypeVar("T")
MAX_K, MAX_PAGE, MAX_QUERY = 100, 500, 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[T]):
    """`given` is the body of a POST, the query of a GET, `own` the id in it; `once` makes a repetition the same."""

    name: str
    domain: str
    path: str
    own: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    posts: bool = False
    once: str | None = None
    read: Callable[[Any], T]


def context(domain: str, task: str, k: int | None, token_budget: int | None, traffic: Traffic | str | None,
            session: str | None) -> Call[Context]:  # fmt: skip
    """The bullets that fit a task."""
    if k is not None and not 0 <= k <= MAX_K:
        raise InvalidInput("k", f"is {k}", f"Ask for 0 to {MAX_K} bullets")
    kind = None if traffic is None else _one_of(Traffic, "traffic", traffic)
    body = {"task": task, "k": k, "token_budget": token_budget, "traffic": kind, "session": session}
    return Call(name="context", domain=domain, path="context", given=_said(body), posts=True, read=Context.from_json)


def report(domain: str, said: Mapping[str, Any]) -> Call[Reported]:
    """What came of a task: the fields of an episode's report."""
    body = _said(said)
    if not body.get("receipt"):
        body.setdefault("episode_id", f"sdk-{uuid.uuid4().hex}")
    return Call(
        name="report", domain=domain, path="episodes", given=body, posts=True, read=lambda data: Reported(**data)
    )


def said(receipt: str | None, *, task: str, answer: str, correct: bool | None, verifier: str | None,
         cited: Sequence[str], trace: Sequence[Step | Mapping[str, str]], **more: Any) -> dict[str, Any]:  # fmt: skip
    """The report's fields. `expected` and `detail` belong to its outcome."""
    outcome = {"correct": correct, "verifier": verifier, "expected": more.pop("expected", None),
               "detail": more.pop("detail", None)}  # fmt: skip
    steps = [asdict(step) if isinstance(step, Step) else dict(step) for step in trace]
    return {"receipt": receipt or None, "task": task, "answer": answer, "cited": list(cited), "trace": steps,
            "outcome": _said(outcome), **more}  # fmt: skip


def learn(domain: str, insights: Iterable[Insight | str], episode_id: str | None, once: str | None) -> Call[Learned]:
    """Lessons for the playbook, of one episode."""
    lessons = [Insight(content=one) if isinstance(one, str) else one for one in insights]
    listed = [{"content": one.content, "section": one.section.value, "tag": one.tag.value,
               "confidence": one.confidence} for one in lessons]  # fmt: skip
    key = once or uuid.uuid4().hex
    body = {"insights": listed, "episode_id": episode_id or f"sdk-{key}"}
    return Call(name="learn", domain=domain, path="insights", given=body, posts=True, once=key, read=Learned.from_json)


def bullets(domain: str, stage: PlaybookStage | str | None, section: Section | str | None, contains: str | None,
            limit: int) -> Call[list[Bullet]]:  # fmt: skip
    """The newest bullets."""
    asked = {"stage": stage and _one_of(PlaybookStage, "stage", stage),
             "section": section and _one_of(Section, "section", section), "contains": contains,
             "limit": _page(limit)}  # fmt: skip
    return Call(name="bullets", domain=domain, path="bullets", given=_said(asked), read=values.bullets)


def search(domain: str, words: str, stage: PlaybookStage | str | None, limit: int) -> Call[list[Found]]:
    """The bullets nearest in meaning."""
    asked = {
        "query": check_text("query", words, MAX_QUERY),
        "stage": stage and _one_of(PlaybookStage, "stage", stage),
        "limit": _page(limit),
    }
    return Call(name="search", domain=domain, path="search", given=_said(asked), read=values.found)


def worth(domain: str) -> Call[Worth]:
    """Success with the playbook and without it."""
    return Call(name="worth", domain=domain, path="worth", read=values.worth)


def episode(domain: str, episode_id: str) -> Call[Progress]:
    """How far a report has come."""
    return Call(name="episode", domain=domain, path=f"episodes/{quote(episode_id, safe='')}", own=episode_id,
                read=_progress)  # fmt: skip


def bullet(domain: str, bullet_id: str) -> Call[Bullet]:
    """One bullet as it is now."""
    path = f"bullets/{_part('bullet_id', bullet_id)}"
    return Call(name="bullet", domain=domain, path=path, own=bullet_id, read=values.bullet)


def evidence(domain: str, bullet_id: str) -> Call[dict[str, Any]]:
    """What speaks for a bullet and against it."""
    path = f"bullets/{_part('bullet_id', bullet_id)}/evidence"
    return Call(name="evidence", domain=domain, path=path, own=bullet_id, read=dict)


def history(domain: str, bullet_id: str) -> Call[list[dict[str, Any]]]:
    """All that the journal says of a bullet."""
    path = f"bullets/{_part('bullet_id', bullet_id)}/history"
    return Call(name="history", domain=domain, path=path, own=bullet_id, read=list)


def reviews(domain: str, state: ReviewState | str | None, limit: int, after: str) -> Call[list[Reviewed]]:
    """What waits for a person and what was decided, those that came first in front."""
    if "\0" in after:
        raise InvalidInput("cursor", "is not one of ours", "Give `next` of the page before, as it was")
    asked = {"state": state and _one_of(ReviewState, "state", state), "limit": _page(limit), "cursor": after}
    return Call(name="reviews", domain=domain, path="reviews", given=_said(asked), read=values.reviews)


def approve(domain: str, review_id: str, content: str | None) -> Call[Reviewed]:
    """Merge what waits, as it is or in other words."""
    return _decision("approve", domain, review_id, {"content": content})


def reject(domain: str, review_id: str, reason: str) -> Call[Reviewed]:
    """Turn down what waits."""
    return _decision("reject", domain, review_id, {"reason": reason})


def _decision(name: str, domain: str, review_id: str, said: Mapping[str, Any]) -> Call[Reviewed]:
    path = f"reviews/{_part('review_id', review_id)}/{name}"
    return Call(name=name, domain=domain, path=path, own=review_id, given=_said(said), posts=True,
                once=uuid.uuid4().hex, read=Reviewed.from_json)  # fmt: skip


def _part(name: str, own: str) -> str:
    """An id of ours as a part of an address. Raises InvalidInput for what would lead to another."""
    if not own.strip(".") or "/" in own:
        raise InvalidInput(name, f"{own!r} is no id", "Give it as it was given to you")
    return quote(own, safe="")


def journal(domain: str, after: int, limit: int) -> Call[Journal]:
    """A page of the journal."""
    given = {"after": after, "limit": _page(limit)}
    return Call(name="journal", domain=domain, path="journal", read=Journal.from_json, given=given)


def roll_back(domain: str, to: str, reason: str, once: str | None) -> Call[int]:
    """The way back; the position of its own entry."""
    given = {"to": to, "reason": reason}
    return Call(name="roll_back", domain=domain, path="rollback", given=given, posts=True,
                once=once or uuid.uuid4().hex, read=lambda data: int(data["position"]))  # fmt: skip


def _progress(data: Any) -> Progress:
    return Progress(**data)


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of them."""
    return {name: value for name, value in fields.items() if value is not None}


def _page(limit: int) -> int:
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput("limit", f"is {limit}", f"Ask for 1 to {MAX_PAGE}")
    return limit


def _one_of(kind: Any, field_name: str, value: str) -> str:
    try:
        return str(kind(value).value)
    except ValueError:
        known = ", ".join(one.value for one in kind)
        raise InvalidInput(field_name, f"{value!r} is none of them", f"Use one of {known}") from None
