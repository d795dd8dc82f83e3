"""Find out what a playbook is worth: each task answered without it and with it, same model, seed and temperature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ace.core.checking import check
from ace.core.ports import Embedder, RunLog
from ace.models.playbook import Context
from ace.models.run import Answered, PairRecord
from ace.models.task import Feedback, Task, Trajectory
from ace.services.learning import Learning


def answered(context: Context, trajectory: Trajectory, feedback: Feedback) -> Answered:
    """One attempt as a record."""
    return Answered(
        answer=trajectory.answer,
        correct=feedback.correct,
        shown=context.ids,
        cited=trajectory.cited,
        usage=trajectory.usage,
        latency_s=trajectory.latency_s,
        error=trajectory.error,
    )


def evaluate(
    tasks: Sequence[Task], domain_id: str, *, learning: Learning, log: RunLog, workers: int = 1
) -> Iterator[PairRecord]:
    """Answer each task twice and yield the pairs in order; nothing is learned. Pairs in the log are not asked again."""
    known = {record.task_id: record for record in log.read("pairs", PairRecord)}

    def pair(task: Task) -> PairRecord:
        if task.id in known:
            return known[task.id]
        without, with_playbook = (
            answered(*learning.attempt(domain_id, task, episode_id=f"eval/{task.id}/{arm}", playbook=arm == "with"))
            for arm in ("without", "with")
        )
        record = PairRecord(task_id=task.id, question=task.question, expected=task.ground_truth,
                            without=without, with_playbook=with_playbook)  # fmt: skip
        log.append("pairs", record)
        return record

    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="ace") as pool:
        yield from pool.map(pair, tasks)


def copied_answers(seen: Sequence[Task], tasks: Sequence[Task], embedder: Embedder) -> int:
    """How many of `tasks` are right when each copies the answer of the nearest task seen, without any model.

    The baseline that a playbook of solved examples has to be compared with.
    """
    if not seen or not tasks:
        return 0
    nearest = np.argmax(_vectors(tasks, embedder) @ _vectors(seen, embedder).T, axis=1)
    copies = zip(tasks, (seen[int(row)].ground_truth or "" for row in nearest), strict=True)
    return sum(check(task, copy).correct is True for task, copy in copies)


def _vectors(tasks: Sequence[Task], embedder: Embedder) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return embedder.embed([task.question for task in tasks])
