"""What a reported episode shows: from the report to the entry of the journal that evidence is counted from."""

from __future__ import annotations

from dataclasses import replace

from ace.models.episode import Episode
from ace.models.observation import Observation


def observe(episode: Episode, mark: str | None) -> Observation:
    """The facts of an episode; `mark`: of its task, see `ace.core.kinds`.

    Without a receipt nobody knows what was shown with which chance: then there are no lots, and nothing to compare.
    """
    did, judged, receipt = episode.trajectory, episode.feedback, episode.receipt
    known = Observation(
        episode_id=episode.id,
        source=judged.source,
        success=judged.correct,
        principal=episode.principal,
        kind=mark,
        latency_s=did.latency_s,
        failed=did.error is not None,
    )
    if receipt is None:
        return known
    return replace(known, traffic=receipt.traffic, position=receipt.position, lots=receipt.lots,
                   holdout=receipt.holdout, held_out=receipt.held_out)  # fmt: skip
