"""What becomes of an episode, or of an assignment, when a worker takes it, fails at it, gives it back or finishes it.

    state     event                                            becomes
    QUEUED    claimed, once due                                LEASED, attempts + 1, until now + lease
    LEASED    claimed, once the lease ran out                  the same; DEAD after MAX_ATTEMPTS
    LEASED    postponed                                        QUEUED for later; DEAD after MAX_ATTEMPTS
    LEASED    released                                         QUEUED at once, attempts - 1
    LEASED    finished                                         DONE
    LEASED    deferred                                         QUEUED for a time that is given, attempts - 1
    DEAD      requeued                                         QUEUED at once, attempts 0
    any other                                                  refused

The pauses grow: 30 s, 2 min, 8 min, 32 min. Five of the events are a worker's who must still hold the lease: owner and
attempt are compared, so a worker that was thought dead and comes back changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from ace.errors import Conflict, LeaseLost
from ace.models.episode import EpisodeState, EpisodeStatus

MAX_ATTEMPTS = 5
PAUSE_S, PAUSE_FACTOR, PAUSE_MAX_S = 30.0, 4.0, 3600.0
MAX_ERROR_CHARS = 2000

Change = Callable[[EpisodeStatus], EpisodeStatus]


class Token(Protocol):
    """What a worker shows to prove that it holds something."""

    @property
    def worker(self) -> str: ...

    @property
    def attempt(self) -> int: ...


def may_be_taken(status: EpisodeStatus, now: float) -> bool:
    """A queued episode, due or not, or one whose lease ran out."""
    return status.state == EpisodeState.QUEUED or (status.state == EpisodeState.LEASED and status.due_at <= now)


def taken(status: EpisodeStatus, worker: str, now: float, lease_s: float) -> EpisodeStatus:
    """LEASED to this worker; or DEAD, when every attempt it may have ended without a word."""
    if status.attempts < MAX_ATTEMPTS:
        return replace(
            status, state=EpisodeState.LEASED, attempts=status.attempts + 1, owner=worker, due_at=now + lease_s
        )
    earlier = f" Before that: {status.error}" if status.error else ""
    reason = (
        f"Attempt {status.attempts} of {MAX_ATTEMPTS} ended without a word: the worker {status.owner} died, or took "
        f"longer than its lease.{earlier}"
    )
    return replace(status, state=EpisodeState.DEAD, owner=None, due_at=now, error=reason[:MAX_ERROR_CHARS])


def postponed(status: EpisodeStatus, error: str, now: float) -> EpisodeStatus:
    """QUEUED after a pause that grows with the attempts; DEAD after the last."""
    last = status.attempts >= MAX_ATTEMPTS
    state = EpisodeState.DEAD if last else EpisodeState.QUEUED
    due_at = now if last else now + pause(status.attempts)
    return replace(status, state=state, owner=None, due_at=due_at, error=_storable(error))


def released(status: EpisodeStatus) -> EpisodeStatus:
    """As if it had not been taken."""
    return replace(
        status, state=EpisodeState.QUEUED, owner=None, attempts=status.attempts - 1, due_at=status.reported_at
    )


def deferred(status: EpisodeStatus, reason: str, due_at: float) -> EpisodeStatus:
    """As if it had not been taken, but not to be taken before then."""
    return replace(released(status), due_at=due_at, error=_storable(reason))


def finished(status: EpisodeStatus, result: str) -> EpisodeStatus:
    """DONE, with what came of it."""
    return replace(status, state=EpisodeState.DONE, owner=None, error=None, result=result)


def requeued(status: EpisodeStatus) -> EpisodeStatus:
    """Alive again. Raises Conflict when it is not dead."""
    if status.state != EpisodeState.DEAD:
        raise Conflict(f"Episode '{status.id}' is {status.state.value}, only a dead one can be queued again.")
    return replace(status, state=EpisodeState.QUEUED, attempts=0, due_at=status.reported_at)


def by_holder(claim: Token, change: Change) -> Change:
    """The change, for the worker that still has the episode; raises LeaseLost for any other."""

    def checked(status: EpisodeStatus) -> EpisodeStatus:
        if (status.state, status.owner, status.attempts) != (EpisodeState.LEASED, claim.worker, claim.attempt):
            raise LeaseLost(f"Attempt {claim.attempt} at episode '{status.id}' is no longer {claim.worker}'s.")
        return change(status)

    return checked


def pause(attempts: int) -> float:
    """Seconds until the next attempt, after so many."""
    return min(PAUSE_S * PAUSE_FACTOR ** max(attempts - 1, 0), PAUSE_MAX_S)


def _storable(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:MAX_ERROR_CHARS]
