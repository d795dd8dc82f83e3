"""Take episodes in from elsewhere, and reflect on them here and now, until each is done or given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import islice

from ace.core.ports import EpisodeQueue
from ace.errors import Conflict, Outage
from ace.models.episode import Claim, Episode, EpisodeState, EpisodeStatus
from ace.services.reflection import Ending, Reflected, Reflection

POLL_S = 0.5
WINDOW = 500  # episodes looked for at once; they end about in the order they were reported


class Taken(StrEnum):
    """What became of an episode that was brought in."""

    NEW = "new"
    KNOWN = "known"  # it is there already, word for word
    CHANGED = "changed"  # it is there already, otherwise; what was there stays


def bring_in(episode: Episode, episodes: EpisodeQueue) -> Taken:
    """Report it, once however often it is brought."""
    try:
        return Taken.NEW if episodes.report(episode) else Taken.KNOWN
    except Conflict:
        return Taken.CHANGED


def compared(episode: Episode, episodes: EpisodeQueue) -> Taken:
    """What would become of it."""
    known = episodes.get(episode.domain_id, episode.id)
    if known is None:
        return Taken.NEW
    same = replace(known, reported_at=episode.reported_at, trace=None) == episode
    return Taken.KNOWN if same else Taken.CHANGED


def reflect_on(
    ids: Sequence[str],
    domain_id: str,
    *,
    reflection: Reflection,
    episodes: EpisodeQueue,
    worker: str,
    sleep: Callable[[float], None],
) -> Iterator[Reflected | None]:
    """What became of each episode, in order; None for one that was done or dead already, or done by another worker.

    Raises what keeps all of them from being reflected on: an Outage, a budget used up. What is not done stays queued.
    """
    for own in ids:
        last = None
        while claim := _claimed(own, domain_id, reflection, episodes, worker, sleep):
            last = reflection.reflect(claim)
            _raise_unless_worth_another(last)
            if last.ending != Ending.POSTPONED:
                break
        yield last


def ended(
    ids: Sequence[str], domain_id: str, *, episodes: EpisodeQueue, sleep: Callable[[float], None]
) -> Iterator[EpisodeStatus]:
    """Each of these episodes once workers are done with it, in whatever order that is."""
    waiting = dict.fromkeys(ids)
    while waiting:
        over = episodes.ended(domain_id, list(islice(waiting, WINDOW)))
        for own in over:
            del waiting[own]
        yield from over.values()
        if waiting and not over:
            sleep(POLL_S)


def _claimed(
    own: str,
    domain_id: str,
    reflection: Reflection,
    episodes: EpisodeQueue,
    worker: str,
    sleep: Callable[[float], None],
) -> Claim | None:
    """The episode in our hands, once whoever has it is done with it; None when there is nothing to do any more."""
    while True:
        if claim := reflection.claim_one(worker, domain_id, own):
            return claim
        status = episodes.status(domain_id, own)
        if status is None or status.state in (EpisodeState.DONE, EpisodeState.DEAD):
            return None
        sleep(POLL_S)


def _raise_unless_worth_another(reflected: Reflected) -> None:
    waits = reflected.ending == Ending.POSTPONED and isinstance(reflected.error, Outage)
    if reflected.error is not None and (waits or reflected.ending == Ending.RELEASED):
        raise reflected.error
