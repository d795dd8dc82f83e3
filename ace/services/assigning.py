"""Have workers do the tasks of a run, and wait for what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from ace.core.ports import AssignmentQueue, Clock
from ace.core.records import from_line
from ace.errors import Outage
from ace.models.assignment import Assignment, Kept
from ace.models.episode import EpisodeState, EpisodeStatus
from ace.models.run import Lesson
from ace.models.task import Task

POLL_S = 0.2
WINDOW = 500  # how many are looked for at once; they end about in the order they were given


class Assigning:
    """The tasks of one run in one domain, each known by the id of the episode it becomes."""

    def __init__(
        self, queue: AssignmentQueue, clock: Clock, sleep: Callable[[float], None], *, domain_id: str, run_id: str
    ) -> None:
        self._queue, self._clock, self._sleep = queue, clock, sleep
        self._domain_id, self._run_id = domain_id, run_id

    def assign(self, tasks: Sequence[tuple[str, Task]], *, keep: bool) -> int:
        """Put (episode id, task) into the queue, in this order; how many are new. Those that died are tried again."""
        now = self._clock.now().timestamp()
        return self._queue.assign([
            Assignment(id=own, domain_id=self._domain_id, run_id=self._run_id, task=task, keep=keep,
                       reported_at=now - (len(tasks) - number) * 1e-6)
            for number, (own, task) in enumerate(tasks)
        ])  # fmt: skip

    def counts(self) -> dict[EpisodeState, int]:
        """How many are in each state."""
        return self._queue.counts(self._domain_id, self._run_id)

    def kept(self, ids: Sequence[str]) -> Iterator[Kept | None]:
        """What became of each, as they end; None for one that died."""
        for status in self._ended(ids):
            yield None if status.state == EpisodeState.DEAD else from_line(status.result or "", Kept)

    def lessons(self, tasks: Sequence[tuple[str, Task]]) -> list[Lesson]:
        """Have these studied by workers; their lessons in order. Raises Outage for one that workers gave up."""
        self.assign(tasks, keep=False)
        found: dict[str, Lesson] = {}
        for status in self._ended([own for own, _ in tasks]):
            if status.state == EpisodeState.DEAD:
                raise Outage(f"Workers gave up '{status.id}' ({status.error}). The same command tries it again.")
            found[status.id] = from_line(status.result or "", Lesson)
        return [found[own] for own, _ in tasks]

    def _ended(self, ids: Sequence[str]) -> Iterator[EpisodeStatus]:
        """Each of these once it is done or dead; what ends first comes first."""
        waiting = dict.fromkeys(ids)
        while waiting:
            over = self._queue.ended(self._domain_id, list(islice(waiting, WINDOW)))
            for own in over:
                del waiting[own]
            yield from over.values()
            if waiting and not over:
                self._sleep(POLL_S)
