"""What both generators do around their work: clock it, count it, and turn the model's failure into a trajectory."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from ace.core.ports import Tally
from ace.errors import ModelError
from ace.models.playbook import Context
from ace.models.task import Step, Task, Trajectory, Usage

_MENTION = re.compile(r"\[([a-z]+-[a-z2-7]{10})\]")


Scope = Callable[[str], AbstractContextManager[Tally]]
"""Opens a scope of this name: `Meter.scope`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What came out of the model."""

    answer: str
    reasoning: str = ""
    cited: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(kw_only=True, slots=True)
class _Nothing:
    usage: Usage = field(default_factory=Usage)


def uncounted(name: str) -> AbstractContextManager[Tally]:
    """A scope in which nothing is counted."""
    del name
    return nullcontext(_Nothing())


def recorded(
    task: Task,
    context: Context,
    episode_id: str,
    work: Callable[[], Answered],
    *,
    scope: Scope = uncounted,
    clock: Callable[[], float] = time.monotonic,
) -> Trajectory:
    """The trajectory of `work()`; a ModelError becomes its `error`, every other error goes up."""
    started, done, error = clock(), Answered(answer=""), None
    with scope(f"{episode_id}/generator") as tally:
        try:
            done = work()
        except ModelError as failure:
            error = str(failure)
    return Trajectory(
        task_id=task.id,
        episode_id=episode_id,
        answer=done.answer,
        reasoning=done.reasoning,
        cited=done.cited,
        shown=context.ids,
        steps=done.steps,
        usage=tally.usage,
        latency_s=clock() - started,
        error=error,
    )


def cited_ids(named: Sequence[str], reasoning: str, shown: Sequence[str]) -> tuple[str, ...]:
    """The shown ids that the answer names: in its list of citations, then as `[id]` in its reasoning; each once."""
    listed = [part for entry in named for part in (entry.strip().strip("[]"), *_MENTION.findall(entry))]
    return tuple(dict.fromkeys(bullet for bullet in [*listed, *_MENTION.findall(reasoning)] if bullet in shown))
