"""Find the bullets that broke a task: it is done again and again with some of them, until the guilty are alone.

A model that is noisy is asked `repeat` times with the same bullets, and the majority counts. Bullets are shown in the
order the task was shown them, and with no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ace.core import pairing
from ace.core.blame import Inquiry
from ace.core.ports import EpisodeQueue, PlaybookStore
from ace.core.validation import check_domain
from ace.errors import InvalidInput, NotFound
from ace.models.playbook import Bullet
from ace.models.replay import BlameTrial
from ace.models.task import Task
from ace.services.attempts import Attempts
from ace.services.replay_tasks import known_task

MOST_SUSPECTS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Accused:
    """A task, and the bullets it was shown; `missing`: those of them the playbook no longer has."""

    task: Task
    bullets: tuple[Bullet, ...]
    missing: tuple[str, ...] = ()


class Blaming:
    """Inquiries into the tasks of one store."""

    def __init__(self, store: PlaybookStore, episodes: EpisodeQueue) -> None:
        self._store, self._episodes = store, episodes

    def of_episode(self, domain_id: str, episode_id: str) -> Accused:
        """A reported episode's task and bullets. Raises NotFound, InvalidInput when it cannot be judged."""
        episode = self._episodes.get(check_domain(domain_id), episode_id)
        if episode is None:
            raise NotFound(f"There is no episode {episode_id[:80]} in domain {domain_id}.")
        shown = episode.trajectory.shown
        bullets = self._store.get_many(domain_id, shown)
        missing = sorted(set(shown) - {bullet.id for bullet in bullets})
        return accused(known_task(episode), bullets, missing)


def accused(task: Task, bullets: Sequence[Bullet], missing: Sequence[str] = ()) -> Accused:
    """An inquiry that can be made. Raises InvalidInput."""
    if not pairing.judgeable(task):
        raise InvalidInput("episode", f"nobody told the right answer of task {task.id}",
                           "Report outcome.expected, or give the task in a file: --tasks")  # fmt: skip
    if not bullets:
        raise InvalidInput("episode", "was shown no bullet that is still there", "Choose one that was")
    if len(bullets) > MOST_SUSPECTS:
        raise InvalidInput("episode", f"was shown {len(bullets)} bullets", f"At most {MOST_SUSPECTS} can be tried")
    return Accused(task=task, bullets=tuple(bullets), missing=tuple(missing))


class Trials:
    """One inquiry as it goes on; `finding` is what is known at any moment."""

    def __init__(self, case: Accused, attempts: Attempts, *, repeat: int = 1) -> None:
        self._case, self._attempts, self._repeat = case, attempts, repeat
        self._inquiry = Inquiry([bullet.id for bullet in case.bullets])
        self.finding = self._inquiry.so_far()

    def run(self) -> Iterator[BlameTrial]:
        """Each set of bullets tried. Raises BudgetExhausted, Outage; run again to go on from the run's ledger."""
        conversation, heard = self._inquiry.run(), None
        while True:
            try:
                shown = conversation.send(heard)  # type: ignore[arg-type]  # the first word of a generator is None
            except StopIteration as end:
                self.finding = end.value
                return
            self.finding = self._inquiry.so_far()
            trial = self._trial(shown)
            heard = trial.succeeded
            yield trial

    def _trial(self, shown: tuple[str, ...]) -> BlameTrial:
        """The task with these bullets, as often as a majority takes."""
        task, right, answers = self._case.task, 0, list[str]()
        context = pairing.shown(self._case.bullets[0].domain_id, [b for b in self._case.bullets if b.id in shown])
        while max(right, len(answers) - right) * 2 <= self._repeat and len(answers) < self._repeat:
            done = self._attempts.once(task, context, number=len(answers))
            answers.append(done.answer)
            right += done.correct is True
        return BlameTrial(shown=shown, succeeded=right * 2 > len(answers), answers=tuple(answers))
