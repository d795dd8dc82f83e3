"""Learn from what is said between an agent and its model, with nobody reporting it."""

from __future__ import annotations

from dataclasses import replace

from ace.core.ports import Clock, EpisodeQueue
from ace.core.prompting import named
from ace.core.traces import to_episode
from ace.models.episode import Episode
from ace.models.receipt import Receipt
from ace.models.trace import Message, Span, SpanKind, Trace, TraceSource
from ace.services.receipts import Receipts


class Overhearing:
    """Makes an episode of a request and its answer. It is known by its receipt, and due after `settle_s`.

    Until then a report with the receipt takes its place: whoever knows the outcome may still say so.
    """

    def __init__(self, episodes: EpisodeQueue, receipts: Receipts, clock: Clock, settle_s: float) -> None:
        self._episodes, self._receipts, self._clock, self._settle_s = episodes, receipts, clock, settle_s

    def keep(
        self, domain_id: str, receipt: str, asked: tuple[Message, ...], answer: Message, *, seconds: float,
        principal: str | None,
    ) -> bool:  # fmt: skip
        """Durable when it returns; False when it was reported already. Raises InvalidInput when there was no task."""
        own, now = self._receipts.read(receipt, domain_id), self._clock.now().timestamp()
        span = Span(id=own.id, kind=SpanKind.MODEL, start=now - seconds, end=now, input=asked, output=(answer,))
        trace = Trace(source=TraceSource.PROXY, id=own.id, spans=(span,))
        made = _of(own, replace(to_episode(trace, domain_id=domain_id, now=now, principal=principal), trace=trace))
        return self._episodes.gather(domain_id, own.id, lambda _: made, now + self._settle_s)


def _of(receipt: Receipt, made: Episode) -> Episode:
    """The episode under its receipt's id."""
    did = made.trajectory
    cited = tuple(one for one in named(did.answer) if one in receipt.shown)
    trajectory = replace(did, task_id=receipt.id, episode_id=receipt.id, shown=receipt.shown, cited=cited)
    return replace(made, id=receipt.id, task=replace(made.task, id=receipt.id), trajectory=trajectory, receipt=receipt)
