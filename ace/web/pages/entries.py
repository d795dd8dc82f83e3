"""A journal's entries in words. One of a kind that this page does not know is shown as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ace.core.journal import canonical
from ace.core.ports import PlaybookStore
from ace.models.journal import Entry

DECISIONS = frozenset({"promote", "quarantine", "restore", "rollback", "archive"})
WORDS = {
    "add": "Learned",
    "quarantine": "Put into quarantine",
    "restore": "Restored to shadow",
    "archive": "Archived",
    "relate": "Contradicts",
    "rollback": "The playbook was rolled back",
}
OUTCOMES: Mapping[Any, str] = {True: "a success", False: "a failure", None: "an outcome nobody could judge"}
BODY_CHARS = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What one entry says: `words`, why, and which bullet, episode or position it is about, where it names one."""

    domain: str
    seq: int
    at: datetime
    kind: str
    words: str
    reason: str = ""
    bullet: str = ""
    episode: str = ""
    position: int | None = None
    body: str = ""


def line(entry: Entry, about: str = "") -> Line:
    """The entry in words; `about` is the bullet whose page it stands on."""
    body, words = entry.body, _words(entry.kind, entry.body)
    told = Line(
        domain=entry.domain_id, seq=entry.seq, at=entry.at, kind=entry.kind, words=words or entry.kind,
        reason=_text(body, "reason"), bullet=_text(body, "bullet_id"), episode=_text(body, "episode_id"),
        body=_as_it_is(body.get("ruling") if words else body),
    )  # fmt: skip
    match entry.kind:
        case "add":
            return replace(told, bullet=_text(body, "id"), episode=_born_of(body))
        case "relate":
            return replace(told, bullet=_other(body, about))
        case "rollback":
            to = body.get("to")
            return replace(told, position=to if isinstance(to, int) else None)
        case "observe":
            return replace(told, reason=_lot(body, about))
        case "archive" if body.get("superseded_by") and about == told.bullet:
            return replace(told, words="Archived in favour of", bullet=_text(body, "superseded_by"))
    return told


def decisions(entries: Iterable[Entry]) -> list[Line]:
    """Those that moved a bullet or the whole playbook, the newest first."""
    return sorted(
        (line(one) for one in entries if one.kind in DECISIONS), key=lambda told: (told.at, told.seq), reverse=True
    )


def texts(store: PlaybookStore, lines: Iterable[Line]) -> dict[tuple[str, str], str]:
    """What the bullets say that the entries are about, by domain and id."""
    named: dict[str, list[str]] = {}
    for told in lines:
        if told.bullet and "\0" not in told.bullet:
            named.setdefault(told.domain, []).append(told.bullet)
    found = (bullet for own, ids in named.items() for bullet in store.get_many(own, list(dict.fromkeys(ids))))
    return {(bullet.domain_id, bullet.id): bullet.content for bullet in found}


def _words(kind: str, body: Mapping[str, Any]) -> str:
    match kind:
        case "increment":
            return _vote(body)
        case "promote":
            return f"Promoted to {body.get('to', 'the next stage')}"
        case "observe":
            return f"Observed {OUTCOMES.get(body.get('success'), OUTCOMES[None])}"
        case "pairs":
            counted = (f"{body.get(name, 0)} {name}" for name in ("wins", "losses", "ties"))
            return f"Tried with and without: {', '.join(counted)}"
    return WORDS.get(kind, "")


def _vote(body: Mapping[str, Any]) -> str:
    if body.get("helpful"):
        return "Found helpful"
    return "Found harmful" if body.get("harmful") else "Used without effect"


def _text(body: Mapping[str, Any], name: str) -> str:
    return str(body.get(name) or "")


def _born_of(body: Mapping[str, Any]) -> str:
    origin = body.get("origin")
    return _text(origin, "episode_id") if isinstance(origin, Mapping) else ""


def _other(body: Mapping[str, Any], about: str) -> str:
    left, right = _text(body, "left"), _text(body, "right")
    return right if left == about else left


def _lot(body: Mapping[str, Any], about: str) -> str:
    """What the lot decided about this bullet, for a task that it fitted."""
    for lot in body.get("lots", ()):
        if len(lot) == 3 and lot[0] == about:
            return f"{'shown' if lot[2] else 'left out by lot'}, with a chance of {lot[1]:.0%}"
    return ""


def _as_it_is(body: Any) -> str:
    if not body:
        return ""
    text = canonical(body).decode()
    return text if len(text) <= BODY_CHARS else f"{text[:BODY_CHARS]} …"
