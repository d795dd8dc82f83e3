"""The calls carried out in this process, on the database the settings name. Each answers as the server would."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError

from ace.bootstrap import App
from ace.core.journal import entry_to_json
from ace.core.ports import BulletFilter
from ace.core.review import item_to_json
from ace.core.validation import check_delta, check_text
from ace.errors import InvalidInput, NotFound
from ace.models.insight import Delta, Insight, Tag
from ace.models.playbook import Bullet, PlaybookStage, Section, Traffic
from ace.models.review import ReviewState
from ace.sdk.calls import Call
from ace.utils.episode_report import MAX_QUERY_CHARS, EpisodeReport, to_episode

T = TypeVar("T")
Given = Mapping[str, Any]


@lru_cache(maxsize=1)
def shared() -> App:
    """The one App of all the playbooks of this process."""
    return App()


class Embedded:
    """Carries calls out here."""

    def __init__(self, app: App | None = None) -> None:
        self.app = app or shared()

    def send(self, call: Call[T]) -> T:
        """The answer. Raises what the services raise."""
        given = {**call.given, **{name: value for name, value in (("once", call.once), ("own", call.own)) if value}}
        return call.read(HERE[call.name](self.app, call.domain, given))

    def close(self) -> None:
        """Nothing is held that others do not share."""


def _context(app: App, domain: str, given: Given) -> Any:
    asked = {name: value for name, value in given.items() if name != "task"}
    if "traffic" in asked:
        asked["traffic"] = Traffic(asked["traffic"])
    check_text("task", given["task"], limit=MAX_QUERY_CHARS)
    return app.advising.give(domain, given["task"], **asked).to_json()


def _report(app: App, domain: str, given: Given) -> Any:
    body = _checked(given)
    receipt = app.receipts.read(body.receipt, domain) if body.receipt else None
    own = body.episode_id or (receipt.id if receipt else "")
    episode = to_episode(body, domain_id=domain, own=own, receipt=receipt, principal=None,
                         now=app.clock.now().timestamp())  # fmt: skip
    new = app.episodes.report(episode)
    status = app.episodes.status(domain, own)
    return {"domain": domain, "episode_id": own, "state": status.state.value if status else "queued", "new": new}


def _checked(given: Given) -> EpisodeReport:
    try:
        return EpisodeReport.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        raise InvalidInput(path or "report", first["msg"], "See docs/guides/sdk.md for what it takes") from error


def _learn(app: App, domain: str, given: Given) -> Any:
    lessons = tuple(
        Insight(content=one["content"], section=Section(one["section"]), tag=Tag(one["tag"]),
                confidence=one["confidence"])
        for one in given["insights"]
    )  # fmt: skip
    delta = check_delta(Delta(episode_id=given["episode_id"], insights=lessons))
    done = app.curator.apply_delta(delta, domain, idempotency_key=f"http/{given['once']}")
    outcomes = [{**asdict(one), "outcome": one.outcome.value} for one in done.outcomes]
    return {"domain": domain, "episode_id": delta.episode_id, "outcomes": outcomes, "position": done.position}


def _bullets(app: App, domain: str, given: Given) -> Any:
    stage, section, text = given.get("stage"), given.get("section"), given.get("contains")
    wanted = BulletFilter(stage=PlaybookStage(stage) if stage else None, section=Section(section) if section else None,
                          text=text)  # fmt: skip
    return {"bullets": [_shown(one.bullet) for one in app.store.page(domain, wanted, limit=given["limit"])]}


def _search(app: App, domain: str, given: Given) -> Any:
    stages = {PlaybookStage(given["stage"])} if "stage" in given else None
    hits = app.index.nearest(domain, app.embedder.embed([given["query"]]), k=given["limit"], stages=stages).hits[0]
    return {"bullets": [{**_shown(hit.bullet), "similarity": round(hit.similarity, 4)} for hit in hits]}


def _worth(app: App, domain: str, given: Given) -> Any:
    del given
    return app.appraisal.worth(domain).to_json()


def _episode(app: App, domain: str, given: Given) -> Any:
    own = given["own"]
    found = app.episodes.status(domain, own) if "\0" not in own else None
    if found is None:
        raise NotFound(f"There is no episode {own[:80]} in this domain.")
    return {"episode_id": found.id, "domain": domain, "state": found.state.value, "attempts": found.attempts,
            "error": found.error, "result": json.loads(found.result) if found.result else None}  # fmt: skip


def _bullet(app: App, domain: str, given: Given) -> Any:
    own = given["own"]
    found = app.store.get(domain, own) if "\0" not in own else None
    if found is None:
        raise NotFound(f"There is no bullet {own[:80]} in this domain.")
    return _shown(found)


def _evidence(app: App, domain: str, given: Given) -> Any:
    stage = _bullet(app, domain, given)["stage"]
    found = app.appraisal.bullet(domain, given["own"]).to_json()
    return {"domain": domain, "bullet_id": given["own"], "stage": stage, **found}


def _history(app: App, domain: str, given: Given) -> Any:
    _bullet(app, domain, given)
    return [entry_to_json(one) for one in app.store.history(domain, given["own"])]


def _reviews(app: App, domain: str, given: Given) -> Any:
    state = ReviewState(given["state"]) if "state" in given else None
    found = app.reviews.list(domain, state, limit=given["limit"], after=given["cursor"])
    return {"reviews": [item_to_json(one) for one in found]}


def _approve(app: App, domain: str, given: Given) -> Any:
    key, content = f"http/{given['once']}", given.get("content")
    return item_to_json(app.reviews.approve(domain, given["own"], by="local", content=content, key=key))


def _reject(app: App, domain: str, given: Given) -> Any:
    key = f"http/{given['once']}"
    return item_to_json(app.reviews.reject(domain, given["own"], given["reason"], by="local", key=key))


def _journal(app: App, domain: str, given: Given) -> Any:
    found, head = app.store.entries(domain, **given), app.store.head(domain).seq
    listed = [entry_to_json(one) for one in found]
    return {"entries": listed, "head": head, "next": found[-1].seq if found and found[-1].seq < head else None}


def _roll_back(app: App, domain: str, given: Given) -> Any:
    return app.rollbacks.roll_back(domain, given["to"], given["reason"], key=f"http/{given['once']}").to_json()


def _shown(bullet: Bullet) -> dict[str, Any]:
    listed = bullet.to_json()
    return {"domain": listed.pop("domain_id"), **listed}


HERE: dict[str, Callable[[App, str, Given], Any]] = {
    "context": _context,
    "report": _report,
    "learn": _learn,
    "bullets": _bullets,
    "search": _search,
    "worth": _worth,
    "episode": _episode,
    "bullet": _bullet,
    "evidence": _evidence,
    "history": _history,
    "reviews": _reviews,
    "approve": _approve,
    "reject": _reject,
    "journal": _journal,
    "roll_back": _roll_back,
}
