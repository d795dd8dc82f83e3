"""Taking out of use what came from one place: from where, what is found, what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ace.models.episode import EpisodeState
from ace.models.playbook import Bullet, SourceClass


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """Where a bullet must come from to be purged: exactly one of these is given."""

    episode: str | None = None
    principal: str | None = None
    model: str | None = None
    source: SourceClass | None = None

    def __str__(self) -> str:
        given = {"episode": self.episode, "principal": self.principal, "model": self.model, "source": self.source}
        return " and ".join(f"{name} {value}" for name, value in given.items() if value is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What an episode tells about descent: who reported it, and which bullets its answer rests on."""

    episode_id: str
    principal: str | None
    cited: tuple[str, ...]
    state: EpisodeState


@dataclass(frozen=True, kw_only=True, slots=True)
class Tainted:
    """A bullet with the reason why it is purged."""

    bullet: Bullet
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Purged:
    """`tainted`: those taken out of use, or that would be. `waiting`: episodes of this origin not yet learned from.

    `reviews`: insights from there that waited for a person; they are turned down with the rest.
    """

    suspect: Suspect
    tainted: tuple[Tainted, ...] = ()
    already: int = 0
    waiting: int = 0
    reviews: tuple[str, ...] = ()
    position: int = 0

    def to_json(self) -> Mapping[str, Any]:
        bullets = [{"id": one.bullet.id, "stage": one.bullet.stage.value, "why": one.why} for one in self.tainted]
        return {"origin": str(self.suspect), "quarantined": bullets, "already_quarantined": self.already,
                "episodes_waiting": self.waiting, "reviews_rejected": list(self.reviews), "position": self.position}  # fmt: skip
