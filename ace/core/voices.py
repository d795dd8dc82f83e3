"""What votes add up to when each principal has one voice.

    an episode          votes once on a bullet; what it says again is not heard
    a vote              weighs what its verifier is worth: WEIGHTS
    a principal         supports a bullet once its votes add up to +1, objects at -1, and counts once either way

So one passed test makes a voice, two people's judgements do, four judgements of a language model do; and a principal
that votes a thousand times is still one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ace.models.insight import Tag
from ace.models.task import FeedbackSource

WEIGHTS: Mapping[FeedbackSource, float] = MappingProxyType(
    {
        FeedbackSource.GROUND_TRUTH: 1.0,
        FeedbackSource.TESTS: 1.0,
        FeedbackSource.ERROR: 1.0,
        FeedbackSource.HUMAN: 0.7,
        FeedbackSource.ENVIRONMENT: 0.7,
        FeedbackSource.JUDGE: 0.3,
        FeedbackSource.NONE: 0.0,
    }
)
"""How far a verdict is trusted, by what it rests on."""
VOICE = 1.0  # the weighted votes, net, from which on a principal counts
ROUNDING = 1e-9
_SIGN = {Tag.HELPFUL: 1.0, Tag.HARMFUL: -1.0, Tag.NEUTRAL: 0.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ballot:
    """One episode's vote on a bullet: who reported it, from which kind of task, and what the verdict rests on."""

    episode_id: str
    principal: str
    cluster: str
    tag: Tag
    source: FeedbackSource


@dataclass(frozen=True, kw_only=True, slots=True)
class Chorus:
    """How many principals support and object, and from how many clusters of tasks."""

    supporters: int = 0
    supporting_clusters: int = 0
    objectors: int = 0
    objecting_clusters: int = 0


class Voices:
    """The ballots on one bullet, added up as they come."""

    def __init__(self) -> None:
        self._episodes: set[str] = set()
        self._sums: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))

    def hear(self, ballot: Ballot) -> bool:
        """Count a ballot; False when this episode has voted before."""
        if ballot.episode_id in self._episodes:
            return False
        self._episodes.add(ballot.episode_id)
        self._sums[ballot.principal][ballot.cluster] += _SIGN[ballot.tag] * WEIGHTS[ballot.source]
        return True

    def chorus(self) -> Chorus:
        """What the principals say, each once."""
        supporting = [sums for sums in self._sums.values() if _adds_up(sum(sums.values()))]
        objecting = [sums for sums in self._sums.values() if _adds_up(-sum(sums.values()))]
        return Chorus(
            supporters=len(supporting),
            supporting_clusters=len({cluster for sums in supporting for cluster, net in sums.items() if net > 0}),
            objectors=len(objecting),
            objecting_clusters=len({cluster for sums in objecting for cluster, net in sums.items() if net < 0}),
        )


def _adds_up(net: float) -> bool:
    return net >= VOICE - ROUNDING
