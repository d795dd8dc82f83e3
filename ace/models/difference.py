"""What lies between two positions of a playbook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ace.models.playbook import Bullet, Link, PlaybookStage


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One bullet that is there before and after, and is not the same."""

    before: Bullet
    after: Bullet

    @property
    def helpful(self) -> int:
        return self.after.helpful_count - self.before.helpful_count

    @property
    def harmful(self) -> int:
        return self.after.harmful_count - self.before.harmful_count

    @property
    def stages(self) -> tuple[PlaybookStage, PlaybookStage]:
        return self.before.stage, self.after.stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """From `start` to `end`, which may lie earlier. `lowered`: back to an earlier stage, as a rollback does."""

    start: int
    end: int
    added: tuple[Bullet, ...] = ()
    removed: tuple[Bullet, ...] = ()
    promoted: tuple[Change, ...] = ()
    quarantined: tuple[Change, ...] = ()
    archived: tuple[Change, ...] = ()
    restored: tuple[Change, ...] = ()
    lowered: tuple[Change, ...] = ()
    counters: tuple[Change, ...] = ()
    linked: tuple[Link, ...] = ()
    unlinked: tuple[Link, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        return {name: len(getattr(self, name)) for name in KINDS}

    def to_json(self) -> dict[str, Any]:
        bullets = {name: [_bullet(one) for one in getattr(self, name)] for name in ("added", "removed")}
        moves = {name: [_move(one) for one in getattr(self, name)] for name in MOVES}
        counters = [{"id": one.before.id, "helpful": one.helpful, "harmful": one.harmful} for one in self.counters]
        links = {name: [[link.left, link.right] for link in getattr(self, name)] for name in ("linked", "unlinked")}
        return {"from": self.start, "to": self.end, **bullets, **moves, "counters": counters, **links}


MOVES = ("promoted", "quarantined", "archived", "restored", "lowered")
KINDS = ("added", "removed", *MOVES, "counters", "linked", "unlinked")


def _bullet(bullet: Bullet) -> dict[str, Any]:
    return {"id": bullet.id, "stage": bullet.stage.value, "content": bullet.content}


def _move(change: Change) -> dict[str, Any]:
    before, after = change.stages
    return {"id": change.before.id, "from": before.value, "to": after.value}
