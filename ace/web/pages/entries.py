"""A journal's entries in words. One of a kind that this page does not know is shown as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ace.core.journal import canonical
from ace.models.journal import Entry

DECISIONS = frozenset({"promote", "quarantine", "restore", "rollback", "archive"})
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
    )  # fmt: skip
    match entry.kind:
        case "add":
            return replace(told, bullet=_text(body, "id"), episode=_born_of(body))
        case "relate":
            return replace(told, bullet=_other(body, about))
        case "rollback":
            to = body.get("to")
            return replace(told, position=to if isinstance(to, int) else None)
    return told if words else replace(told, body=_as_it_is(body))


def decisions(entries: Iterable[Entry]) -> list[Line]:
    """Those that moved a bullet or the whole playbook, the newest first."""
    return sorted(
        (line(one) for one in entries if one.kind in DECISIONS), key=lambda told: (told.at, told.seq), reverse=True
    )


def _words(kind: str, body: Mapping[str, Any]) -> str:
    match kind:
        case "add":
            return "Learned"
        case "increment":
            return _vote(body)
        case "promote":
            return f"Promoted to {body.get('to', 'the next stage')}"
        case "quarantine":
            return "Put into quarantine"
        case "restore":
            return "Restored to shadow"
        case "archive":
            return "Archived"
        case "relate":
            return "Contradicts"
        case "rollback":
            return "The playbook was rolled back"
    return ""


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


def _as_it_is(body: Mapping[str, Any]) -> str:
    text = canonical(body).decode()
    return text if len(text) <= BODY_CHARS else f"{text[:BODY_CHARS]} …"
