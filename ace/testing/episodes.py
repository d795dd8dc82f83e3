"""Reported episodes in memory, beside an `InMemoryPlaybook` whose transactions finish them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from ace.core import leasing
from ace.core.gathering import Grow, may_grow
from ace.core.leasing import Change
from ace.errors import Conflict, NotFound
from ace.models.episode import Claim, Episode, EpisodeState, EpisodeStatus
from ace.models.purge import Report
from ace.repositories.episode_rows import RECEIPT_USED, episode_from_body, episode_to_row, names, report_from_row
from ace.testing.playbook import InMemoryPlaybook


class InMemoryEpisodes:
    """`ace.core.ports.EpisodeQueue` for threads of one process, by the core's table alone."""

    def __init__(self, playbook: InMemoryPlaybook) -> None:
        self._statuses, self._lock = playbook.episodes, playbook.episodes_lock
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._receipts: dict[str, str] = {}

    def report(self, episode: Episode) -> bool:
        row, key = episode_to_row(episode), (episode.domain_id, episode.id)
        with self._lock:
            if episode.receipt and self._receipts.setdefault(episode.receipt.id, episode.id) != episode.id:
                raise Conflict(RECEIPT_USED)
            if self._growing(*key) and self._rows[key]["request_hash"] != row["request_hash"]:
                del self._rows[key]
            known = self._rows.setdefault(key, row)
            if known["request_hash"] != row["request_hash"]:
                raise Conflict(f"Episode '{episode.id}' was reported before with another body. Use a new id.")
            if known is row:
                self._statuses[key] = EpisodeStatus(
                    id=episode.id,
                    domain_id=episode.domain_id,
                    state=EpisodeState.QUEUED,
                    reported_at=episode.reported_at,
                    due_at=episode.reported_at,
                )
            return known is row

    def gather(self, domain: str, episode_id: str, grow: Grow, due_at: float) -> bool:
        with self._lock:
            known = self._growing(domain, episode_id)
            if known is None and (domain, episode_id) in self._rows:
                return False
            episode = grow(known)
            if episode.receipt and self._receipts.setdefault(episode.receipt.id, episode.id) != episode.id:
                raise Conflict(RECEIPT_USED)
            self._rows[domain, episode_id] = episode_to_row(episode, due_at)
            self._statuses[domain, episode_id] = EpisodeStatus(id=episode_id, domain_id=domain,
                state=EpisodeState.QUEUED, reported_at=episode.reported_at, due_at=due_at)  # fmt: skip
            return True

    def _growing(self, domain: str, episode_id: str) -> Episode | None:
        status, known = self.status(domain, episode_id), self.get(domain, episode_id)
        return known if known and status and may_grow(status) and known.trace else None

    def claim(self, worker: str, now: float, lease_s: float, domain: str | None = None) -> Claim | None:
        with self._lock:
            while due := self._due(now, domain):
                claim = self._take(due[0], worker, now, lease_s)
                if claim:
                    return claim
        return None

    def claim_one(self, worker: str, now: float, lease_s: float, domain: str, episode_id: str) -> Claim | None:
        with self._lock:
            status = self.status(domain, episode_id)
            if status is None or not leasing.may_be_taken(status, now):
                return None
            return self._take(status, worker, now, lease_s)

    def postpone(self, claim: Claim, error: str, now: float) -> EpisodeStatus:
        change = leasing.by_holder(claim, partial(leasing.postponed, error=error, now=now))
        return self._change(claim.episode.domain_id, claim.episode.id, change)

    def release(self, claim: Claim) -> EpisodeStatus:
        change = leasing.by_holder(claim, leasing.released)
        return self._change(claim.episode.domain_id, claim.episode.id, change)

    def defer(self, claim: Claim, reason: str, due_at: float) -> EpisodeStatus:
        change = leasing.by_holder(claim, partial(leasing.deferred, reason=reason, due_at=due_at))
        return self._change(claim.episode.domain_id, claim.episode.id, change)

    def requeue(self, domain: str, episode_id: str) -> EpisodeStatus:
        return self._change(domain, episode_id, leasing.requeued)

    def get(self, domain: str, episode_id: str) -> Episode | None:
        row = self._rows.get((domain, episode_id))
        return episode_from_body(row["body"]) if row else None

    def status(self, domain: str, episode_id: str) -> EpisodeStatus | None:
        return self._statuses.get((domain, episode_id))

    def list(
        self, domain: str, state: EpisodeState | None = None, limit: int = 100, after: str = ""
    ) -> Sequence[EpisodeStatus]:
        own = [s for s in self._of(domain) if s.id > after and state in (None, s.state)]
        return sorted(own, key=lambda status: status.id)[:limit]

    def ended(self, domain: str, ids: Collection[str]) -> Mapping[str, EpisodeStatus]:
        over = (EpisodeState.DONE, EpisodeState.DEAD)
        return {one.id: one for one in self._of(domain) if one.id in ids and one.state in over}

    def naming(self, domain: str, bullet_id: str) -> Sequence[EpisodeStatus]:
        bodies = {
            status.id: self._rows[domain, status.id]["body"] for status in self.list(domain, limit=len(self._rows))
        }
        named = [own for own, body in bodies.items() if names(body, bullet_id)]
        return [self._statuses[domain, own] for own in named]

    def reports(self, domain: str) -> Sequence[Report]:
        own = sorted(self._of(domain), key=lambda status: status.id)
        return [report_from_row((one.id, one.state.value, self._rows[domain, one.id]["body"])) for one in own]

    def counts(self, domain: str | None = None) -> dict[EpisodeState, int]:
        states = [status.state for status in self._of(domain)]
        return {state: states.count(state) for state in EpisodeState}

    def _of(self, domain: str | None) -> Sequence[EpisodeStatus]:
        return [status for status in tuple(self._statuses.values()) if domain in (None, status.domain_id)]

    def _due(self, now: float, domain: str | None) -> Sequence[EpisodeStatus]:
        """The due ones, those whose lease ran out first, then the longest due."""
        states = (EpisodeState.LEASED, EpisodeState.QUEUED)
        due = [status for status in self._of(domain) if status.state in states and status.due_at <= now]
        return sorted(due, key=lambda s: (states.index(s.state), s.due_at, s.domain_id, s.id))

    def _take(self, status: EpisodeStatus, worker: str, now: float, lease_s: float) -> Claim | None:
        after = self._statuses[status.domain_id, status.id] = leasing.taken(status, worker, now, lease_s)
        if after.state != EpisodeState.LEASED:
            return None
        episode = episode_from_body(self._rows[status.domain_id, status.id]["body"])
        return Claim(episode=episode, worker=worker, attempt=after.attempts)

    def _change(self, domain: str, episode_id: str, change: Change) -> EpisodeStatus:
        with self._lock:
            status = self.status(domain, episode_id)
            if status is None:
                raise NotFound(f"There is no episode '{episode_id}' in domain {domain}.")
            after = self._statuses[domain, episode_id] = change(status)
            return after
