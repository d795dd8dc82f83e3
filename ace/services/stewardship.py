"""Move a bullet by hand: up a stage, out of use, aside, back into shadow; always with a reason, always journalled."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from ace.core.journal import canonical, digest
from ace.core.ports import Clock, PlaybookStore
from ace.core.replay import NEXT_STAGE
from ace.core.validation import check_domain, check_text
from ace.errors import InvalidInput, NotFound
from ace.models.journal import Entry
from ace.models.plan import Archive, Operation, Promote, Quarantine, Restore
from ace.models.playbook import Bullet, PlaybookStage

MAX_REASON_CHARS = 1000


class Move(StrEnum):
    """What a person may do to a bullet."""

    PROMOTE = "promote"  # one stage up
    QUARANTINE = "quarantine"  # out of use
    ARCHIVE = "archive"  # out of use without blame
    RESTORE = "restore"  # from quarantine or the archive back to shadow


class Stewardship:
    """Moves in the playbooks of one store."""

    def __init__(self, store: PlaybookStore, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def superseded_by(self, bullet: Bullet) -> str | None:
        """Who stands for a bullet in the archive because another says the same; None for any other bullet."""
        passed, now = [bullet.id], bullet
        while now.stage == PlaybookStage.ARCHIVED:
            other = _put_aside_for(self._store.history(bullet.domain_id, now.id), now.id)
            found = self._store.get(bullet.domain_id, other) if other and other not in passed else None
            if found is None:
                break
            now = found
            passed.append(now.id)
        return now.id if len(passed) > 1 else None

    def move(self, domain_id: str, bullet_id: str, move: Move, reason: str, *, key: str | None = None) -> Bullet:
        """The bullet as it is then; with an idempotency `key` a second time changes nothing.

        Raises NotFound, Conflict (same key, another move), InvalidInput for a step the stages do not have.
        """
        check_text("reason", reason, MAX_REASON_CHARS)
        request = digest(canonical([move.value, bullet_id, reason]))
        with self._store.transaction(check_domain(domain_id)) as transaction:
            if key and (answer := transaction.recall(key, request)) is not None:
                return Bullet.from_json(answer)
            bullet = transaction.present([bullet_id]).get(bullet_id)
            if bullet is None:
                raise NotFound(f"There is no bullet {bullet_id[:80]} in this domain.")
            transaction.apply([operation(bullet, move, reason)], vectors={}, now=self._clock.now())
            moved = transaction.present([bullet_id])[bullet_id]
            if key:
                transaction.remember(key, request, moved.to_json())
        return moved


def operation(bullet: Bullet, move: Move, reason: str) -> Operation:
    """The journal's word for the move. Raises InvalidInput at the top."""
    match move:
        case Move.PROMOTE:
            to = NEXT_STAGE.get(bullet.stage)
            if to is None:
                raise InvalidInput("stage", f"{bullet.id} is {bullet.stage} and cannot rise", "Restore it first")
            return Promote(bullet_id=bullet.id, to=to, reason=reason)
        case Move.QUARANTINE:
            return Quarantine(bullet_id=bullet.id, reason=reason)
        case Move.ARCHIVE:
            return Archive(bullet_id=bullet.id, reason=reason)
        case Move.RESTORE:
            return Restore(bullet_id=bullet.id, reason=reason)


def _put_aside_for(history: Sequence[Entry], bullet_id: str) -> str | None:
    """The bullet that the last archiving which still stands was for."""
    to = history[-1].seq if history else 0
    for entry in reversed(history):
        if entry.seq <= to and entry.kind == "rollback":
            to = entry.body["to"]
        elif entry.seq <= to and entry.kind == "archive" and entry.body["bullet_id"] == bullet_id:
            other: str | None = entry.body.get("superseded_by")
            return other
    return None
