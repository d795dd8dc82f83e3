"""Two states of a playbook on the same tasks: each is given what retrieval would have found for it then.

A task that both states give the same bullets is a tie, and is not asked. It ends when the pairs decide, for one or
for the other, or when there have been enough.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ace.core.evalues import pairs_e_value
from ace.core.pairing import task_key
from ace.core.ports import Embedder
from ace.models.playbook import Context, PlaybookStage
from ace.models.replay import ReplayPair, Score
from ace.models.run import Answered
from ace.models.task import Task
from ace.services.attempts import Attempts
from ace.services.retrieval import Retrieval
from ace.services.snapshots import Snapshot
from ace.services.time_travel import Past

Contexts = Callable[[Task], Context]
UNASKED = Answered(answer="", correct=None)


@dataclass(frozen=True, kw_only=True)
class Showing:
    """How a context is made: as `Retrieval` does it."""

    embedder: Embedder
    stages: Collection[PlaybookStage]
    floor: float
    trust_weight: float
    k: int
    token_budget: int | None = None

    def of(self, domain_id: str, past: Past) -> Contexts:
        """The contexts that this state of the playbook gives."""
        index = Snapshot(past.state, past.position, self.embedder, self.stages)
        retrieval = Retrieval(index=index, embedder=self.embedder, stages=self.stages, floor=self.floor,
                              trust_weight=self.trust_weight)  # fmt: skip
        return lambda task: retrieval.context(domain_id, task.question, k=self.k, token_budget=self.token_budget)


def compare(
    tasks: Sequence[Task], old: Contexts, new: Contexts, *, subject: str, bar: float, attempts: Attempts
) -> Iterator[ReplayPair]:
    """The pairs one by one; a win is a task that only `new` gets right. Raises BudgetExhausted, Outage."""
    known = {pair.task_key: pair for pair in attempts.pairs(subject)}
    seen: list[ReplayPair] = []
    for task in tasks:
        if decided(Score.of(seen), bar):
            return
        seen.append(known.get(task_key(task)) or _pair(subject, task, old(task), new(task), attempts))
        yield seen[-1]


def _pair(subject: str, task: Task, old: Context, new: Context, attempts: Attempts) -> ReplayPair:
    if old.ids != new.ids:
        return attempts.pair(subject, task, old, new)
    return ReplayPair(subject=subject, task_id=task.id, task_key=task_key(task), question=task.question,
                      expected=task.ground_truth, without=UNASKED, having=UNASKED)  # fmt: skip


def decided(score: Score, bar: float) -> bool:
    """Has one of the two shown that it is the better one?"""
    return max(pairs_e_value(score.wins, score.losses), pairs_e_value(score.losses, score.wins)) >= bar


def figures(pairs: Sequence[ReplayPair], bar: float) -> dict[str, Any]:
    """The pairs counted, and what they show."""
    score = Score.of(pairs)
    good, harm = pairs_e_value(score.wins, score.losses), pairs_e_value(score.losses, score.wins)
    verdict = "better" if good >= bar else "worse" if harm >= bar else "undecided"
    return {"pairs": asdict(score), "same_context": sum(pair.having is UNASKED for pair in pairs),
            "e_value_good": good, "e_value_harm": harm, "bar": bar, "verdict": verdict}  # fmt: skip
