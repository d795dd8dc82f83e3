"""Do a task with exactly these bullets; do it twice for a pair. What the run log holds is not asked again."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

from ace.core.checking import check
from ace.core.pairing import task_key
from ace.core.ports import Generator, RunLog
from ace.models.playbook import Context
from ace.models.replay import ReplayPair
from ace.models.run import Answered
from ace.models.task import Task
from ace.services.evaluation import answered

PAIRS = "replay_pairs"


class Attempts:
    """Attempts of one run, by one Generator."""

    def __init__(self, generator: Generator, log: RunLog) -> None:
        self._generator, self._log = generator, log

    def once(self, task: Task, context: Context, *, number: int = 0) -> Answered:
        """One attempt. The same task, bullets and number are the same call: the run's ledger answers it the second
        time. Raises Outage, BudgetExhausted."""
        bullets = hashlib.sha256(context.text.encode()).hexdigest()[:16]
        name = f"replay/{task_key(task)[:16]}/{bullets}/{number}"
        trajectory = self._generator.generate(task, context, episode_id=name)
        return answered(context, trajectory, check(task, trajectory.answer))

    def pairs(self, subject: str) -> list[ReplayPair]:
        """The pairs of this subject that the run has finished."""
        return [pair for pair in self._log.read(PAIRS, ReplayPair) if pair.subject == subject]

    def pair(self, subject: str, task: Task, without: Context, having: Context) -> ReplayPair:
        """Both attempts beside each other; in the log when it returns."""
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="ace") as pool:
            first, second = pool.map(lambda context: self.once(task, context), (without, having))
        pair = ReplayPair(subject=subject, task_id=task.id, task_key=task_key(task), question=task.question,
                          expected=task.ground_truth, without=first, having=second)  # fmt: skip
        self._log.append(PAIRS, pair)
        return pair
