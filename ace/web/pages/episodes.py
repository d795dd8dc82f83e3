"""What agents reported: how far each report has come, what happened in it, what was learned; and another try.

The trace is for those who review: a task may hold what its agent was trusted with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.responses import Response

from ace.errors import InvalidInput
from ace.models.access import Role
from ace.models.episode import Episode, EpisodeState, EpisodeStatus
from ace.models.playbook import Bullet
from ace.web.pages.door import Visit, back, page
from ace.web.pages.playbook import choice

PAGE, BULLETS = 25, 12
MAX_ID = 200


@page("/domains/{domain}/episodes", query={"state", "cursor"})
def episodes(visit: Visit) -> Response:
    state, after = choice(visit, "state", EpisodeState), visit.asked("cursor") or ""
    found = list(visit.app.episodes.list(visit.domain, state, PAGE + 1, after))
    shown = found[:PAGE]
    return visit.show(
        "episodes.html", part="episodes", state=state, counts=visit.app.episodes.counts(visit.domain), after=after,
        rows=[(one, reported(visit, one.id)) for one in shown], following=shown[-1].id if len(found) > PAGE else "",
    )  # fmt: skip


@page("/domains/{domain}/episode", query={"id", "done"})
def episode(visit: Visit) -> Response:
    own = visit.asked("id", MAX_ID)
    if own is None:
        raise InvalidInput("id", "is missing", "Follow a link of the list of episodes")
    status = visit.app.episodes.status(visit.domain, own)
    if status is None:
        return visit.show("episode_unknown.html", part="episodes", status=404, own=own)
    found = reported(visit, own)
    return visit.show(
        "episode.html", part="episodes", status_of=status, episode=found, bullets=_bullets(visit, found),
        result=_result(status), chances=_chances(found), done=visit.asked("done"),
    )  # fmt: skip


@page("/domains/{domain}/episode/requeue", Role.REVIEW, method="POST")
def requeue(visit: Visit) -> Response:
    own = visit.filled("episode", MAX_ID)
    visit.app.episodes.requeue(visit.domain, own)
    return back(f"/domains/{visit.domain}/episode", id=own, done="queued again")


def reported(visit: Visit, own: str) -> Episode | None:
    """The episode as it was reported; None for those who may not see it, and when there is none."""
    return visit.app.episodes.get(visit.domain, own) if visit.may(Role.REVIEW) and "\0" not in own else None


def _bullets(visit: Visit, found: Episode | None) -> Sequence[Bullet]:
    """What it was shown and what it cited, as far as the playbook has it."""
    if found is None:
        return []
    named = dict.fromkeys([*found.trajectory.cited, *found.trajectory.shown])
    return visit.app.store.get_many(visit.domain, [own for own in list(named)[:BULLETS] if "\0" not in own])


def _result(status: EpisodeStatus) -> list[Mapping[str, Any]]:
    """What its merge made of each lesson; a result of another shape is none."""
    told = json.loads(status.result) if status.result else {}
    outcomes = told.get("outcomes", []) if isinstance(told, dict) else []
    return [one for one in outcomes if isinstance(one, dict) and "outcome" in one and "bullet_id" in one]


def _chances(found: Episode | None) -> dict[str, float]:
    """The chance each bullet had of being shown, where the report came with its receipt."""
    return {lot.bullet_id: lot.chance for lot in found.receipt.lots} if found and found.receipt else {}
