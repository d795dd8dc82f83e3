"""Rows of `episodes` and the values they stand for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ace.core.journal import canonical, digest
from ace.core.validation import check_domain
from ace.errors import InvalidInput
from ace.models.episode import Episode, EpisodeState
from ace.models.purge import Report
from ace.repositories import rules
from ace.repositories.rows import Row

RECEIPT_USED = "This receipt was reported before, as another episode. Ask for a new context for each task."


def episode_to_row(episode: Episode, due_at: float | None = None) -> dict[str, Any]:
    """The row of a new report; two reports are the same when all but their time is. Raises InvalidInput."""
    check_domain(episode.domain_id)
    rules.check_name("episode_id", episode.id)
    data = episode.to_json()
    try:
        body, hashed = canonical(data), canonical(replace(episode, reported_at=0.0, trace=None).to_json())
    except ValueError as error:
        remedy = "Send valid Unicode and finite numbers"
        raise InvalidInput("episode", f"'{episode.id}' cannot be stored ({error})", remedy) from None
    return {
        "domain_id": episode.domain_id,
        "id": episode.id,
        "state": EpisodeState.QUEUED.value,
        "body": body.decode(),
        "request_hash": digest(hashed),
        "attempts": 0,
        "due_at": episode.reported_at if due_at is None else due_at,
        "owner": None,
        "reported_at": episode.reported_at,
        "result": None,
        "error": None,
    }


def receipt_row(episode: Episode) -> dict[str, Any]:
    """The row of `idempotency_keys` that ties an episode's receipt to it."""
    assert episode.receipt is not None
    answer = canonical({"episode_id": episode.id})
    return {"domain_id": episode.domain_id, "key": f"receipt/{episode.receipt.id}", "request_hash": digest(answer),
            "answer": answer.decode()}  # fmt: skip


def episode_from_body(body: str) -> Episode:
    """The episode as it was reported. Raises InvalidInput for what another release wrote and this one cannot read."""
    try:
        return Episode.from_json(json.loads(body))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InvalidInput("episode", f"cannot be read by this release ({error!r})", "Upgrade ACE") from error


def containing(text: str, *, after: str = "") -> str:
    """A LIKE pattern, its escape sign '!', for bodies that hold this text as a whole JSON string (behind `after`)."""
    quoted = after + json.dumps(text, ensure_ascii=False)
    for sign in "!%_":
        quoted = quoted.replace(sign, f"!{sign}")
    return f"%{quoted}%"


def names(body: str, bullet_id: str) -> bool:
    """Was this bullet shown or cited in the episode?"""
    did = json.loads(body)["trajectory"]
    return bullet_id in (*did["shown"], *did["cited"])


def report_from_row(row: Row) -> Report:
    """A row of `statements.EPISODE_BODIES`."""
    own, state, body = row
    data = json.loads(body)
    return Report(episode_id=own, principal=data.get("principal"), cited=tuple(data["trajectory"]["cited"]),
                  state=EpisodeState(state))  # fmt: skip
