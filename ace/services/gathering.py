"""Take in what is sent of traces, part by part. What is taken is durable; the rules stand in `ace.core.gathering`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from ace.core.gathering import Patience, grown, may_grow
from ace.core.ports import Clock, EpisodeQueue
from ace.core.traces import episode_id
from ace.errors import InvalidInput
from ace.models.trace import Trace, TraceSource


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """How many spans were kept, came too late, or were too much; `why` for the last."""

    kept: int = 0
    late: int = 0
    refused: int = 0
    why: str = ""


class Gathering:
    """Puts parts of traces together in the queue of episodes."""

    def __init__(self, episodes: EpisodeQueue, clock: Clock, patience: Patience) -> None:
        self._episodes, self._clock, self._patience = episodes, clock, patience

    def take(
        self, domain_id: str, traces: Sequence[Trace], ended: Collection[str], principal: str | None = None
    ) -> Gathered:
        """Keep these parts; `ended` are the traces whose root is among what was sent. Raises StoreUnavailable."""
        kept, late, refused, why = 0, 0, 0, ""
        for trace in (*traces, *self._ended_without_more(domain_id, traces, ended)):
            try:
                taken = self._keep(domain_id, trace, trace.id in ended, principal)
            except InvalidInput as error:
                refused, why = refused + len(trace.spans), str(error)
                continue
            kept, late = kept + taken * len(trace.spans), late + (not taken) * len(trace.spans)
        return Gathered(kept=kept, late=late, refused=refused, why=why)

    def _keep(self, domain_id: str, trace: Trace, ended: bool, principal: str | None) -> bool:
        now = self._clock.now().timestamp()
        grow = partial(grown, more=trace, domain_id=domain_id, now=now, principal=principal)
        return self._episodes.gather(domain_id, episode_id(trace), grow, self._patience.due_at(now, ended=ended))

    def _ended_without_more(self, domain_id: str, traces: Sequence[Trace], ended: Collection[str]) -> Sequence[Trace]:
        """Traces that wait and are told to have ended, by a span that says nothing else."""
        empty = [Trace(source=TraceSource.OTLP, id=own) for own in sorted({*ended} - {trace.id for trace in traces})]
        return [one for one in empty if self._waits(domain_id, episode_id(one))]

    def _waits(self, domain_id: str, own: str) -> bool:
        status = self._episodes.status(domain_id, own)
        return status is not None and may_grow(status)
