"""A trace that arrives in parts: an agent's spans are sent as they end, the innermost first.

    the first spans that say something     an episode, QUEUED, due when its trace has been quiet for `quiet_s`
    more of them, while it waits           it grows; due later again
    the span without a parent              the trace has ended: due in `settle_s`, so that stragglers can join
    after a worker has taken it            late: nothing is changed any more

So what was acknowledged is an episode already, and a trace whose root never comes, since another process keeps it, is
learned from as well. The same span again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ace.core.traces import episode_id, to_episode
from ace.errors import InvalidInput
from ace.models.episode import Episode, EpisodeState, EpisodeStatus
from ace.models.task import Feedback, Task, Trajectory
from ace.models.trace import Message, Span, SpanKind, Trace

MAX_SPANS = 2_000
Grow = Callable[[Episode | None], Episode]


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """Seconds to wait: for more of a trace, and for stragglers once its root has come."""

    quiet_s: float
    settle_s: float

    def due_at(self, now: float, *, ended: bool) -> float:
        return now + (self.settle_s if ended else self.quiet_s)


def may_grow(status: EpisodeStatus) -> bool:
    """Has no worker had it yet?"""
    return status.state == EpisodeState.QUEUED and status.attempts == 0


def grown(known: Episode | None, more: Trace, *, domain_id: str, now: float, principal: str | None) -> Episode:
    """The episode with these spans in it."""
    before = known.trace if known else None
    trace = joined(before, more) if before else more
    try:
        made = to_episode(trace, domain_id=domain_id, now=now, principal=principal)
    except InvalidInput:  # not yet: the span that says what was asked may still come
        made = _without_a_task(trace, domain_id, now, principal)
    if known:
        made = replace(made, principal=known.principal, reported_at=known.reported_at)
    return replace(made, trace=trace)


def joined(before: Trace, more: Trace) -> Trace:
    """Both as one. Raises InvalidInput when that is too much."""
    spans = merged([*before.spans, *more.spans])
    if len(spans) > MAX_SPANS:
        raise InvalidInput("spans", f"of trace {more.id[:80]} are more than {MAX_SPANS:,}", "Trace less in one piece")
    return replace(before, spans=spans, scores=tuple(dict.fromkeys((*before.scores, *more.scores))),
                   expected=before.expected or more.expected)  # fmt: skip


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Each span once; what a later part says of one fills what is empty, and continues what was said."""
    found: dict[str, Span] = {}
    for span in spans:
        found[span.id] = _filled(found[span.id], span) if span.id in found else span
    return tuple(found.values())


def _filled(span: Span, more: Span) -> Span:
    names = ("parent", "name", "start", "end", "call", "result", "error")
    empty = {name: getattr(more, name) for name in names if not getattr(span, name)}
    heard, said = _both(span.input, more.input), _both(span.output, more.output)
    kind = more.kind if span.kind == SpanKind.OTHER else span.kind
    return replace(span, input=heard, output=said, kind=kind, **empty)


def _both(one: Sequence[Message], more: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(dict.fromkeys((*one, *more)))


def _without_a_task(trace: Trace, domain_id: str, now: float, principal: str | None) -> Episode:
    own, name = episode_id(trace), next((span.name for span in trace.spans if span.name), "unknown")
    return Episode(id=own, domain_id=domain_id, task=Task(id=own, question=name), feedback=Feedback(correct=None),
                   trajectory=Trajectory(task_id=own, episode_id=own), principal=principal,
                   reported_at=now)  # fmt: skip
