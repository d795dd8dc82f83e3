"""The rows a journal adds up to: what a backup must hold, and what a rollback writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ace.core import replay
from ace.models.journal import Entry
from ace.models.plan import Add, Increment, Operation, Relate, operation_from_json
from ace.models.playbook import Bullet, Link
from ace.repositories import rules
from ace.repositories.rows import bullet_to_row


def standing_rows(domain_id: str, entries: Sequence[Entry], to: int) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table as of position `to`; `entries` start at seq 1. Raises InvalidInput."""
    standing = _Standing(domain_id)
    for entry in replay.standing(entries, to):
        standing.carry_out(entry, operation_from_json(entry.kind, entry.body))
    return standing.rows()


class _Standing:
    """The state so far, with the entry each row comes from; an operation is put to the rule over what it names."""

    def __init__(self, domain_id: str) -> None:
        self._domain_id = domain_id
        self._bullets: dict[str, Bullet] = {}
        self._born: dict[str, Entry] = {}
        self._votes: dict[tuple[str, str], int] = {}
        self._links: dict[Link, int] = {}

    def carry_out(self, entry: Entry, operation: Operation) -> None:
        around = {own: self._bullets[own] for own in rules.named(operation) if own in self._bullets}
        votes = frozenset(pair for pair in rules.votes_of([operation]) if pair in self._votes)
        self._bullets |= replay.apply(replay.State(bullets=around, votes=votes), operation).bullets
        match operation:
            case Add(bullet=bullet):
                self._born[bullet.id] = entry
            case Increment(bullet_id=own, episode_id=episode):
                self._votes[own, episode] = entry.seq
            case Relate(link=link):
                self._links.setdefault(link, entry.seq)
            case _:
                pass

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        domain = {"domain_id": self._domain_id}
        return {
            "playbook_bullets": [bullet_to_row(bullet, self._born[own]) for own, bullet in self._bullets.items()],
            "bullet_votes": [
                {**domain, "bullet_id": own, "episode_id": episode, "seq": seq}
                for (own, episode), seq in self._votes.items()
            ],
            "bullet_links": [
                {**domain, "left_id": link.left, "right_id": link.right, "seq": seq}
                for link, seq in self._links.items()
            ],
        }
