"""Do what runs have assigned: one claimed task at a time, answered with the playbook as it is, and reflected on.

    the assignment says       then
    keep                      the lesson is merged and the assignment DONE in one commit, as they come
    keep not                  the lesson is kept with the assignment, DONE; the run that asked merges it in its order

What ends badly is treated as a reported episode is (`ace.services.reflection`).
"""

from __future__ import annotations

from collections.abc import Callable

from ace.core.ports import AssignmentQueue, Clock, Meter, Transaction
from ace.errors import AceError, BudgetExhausted, CircuitOpen, LeaseLost
from ace.models.assignment import Held, Kept
from ace.models.episode import EpisodeState, EpisodeStatus
from ace.models.plan import MergeResult, Outcome
from ace.models.run import Lesson
from ace.services.budgets import Budgets
from ace.services.learning import Learning
from ace.services.reflection import Ending, Reflected


class Assigned:
    """Works on one store's assignments. Threads may share it. `learning` is asked for when the first task is done."""

    def __init__(
        self,
        *,
        queue: AssignmentQueue,
        learning: Callable[[], Learning],
        clock: Clock,
        lease_s: float,
        budgets: Budgets,
        meter: Meter,
    ) -> None:
        self._queue, self._learning, self._clock, self._lease_s = queue, learning, clock, lease_s
        self._budgets, self._meter = budgets, meter

    def claim(self, worker: str, domain: str | None = None) -> Held | None:
        """The longest due assignment; None when none is due."""
        return self._queue.claim(worker, self._now(), self._lease_s, domain)

    def reflect(self, held: Held) -> Reflected:
        """Do the task and what is to be done with its lesson. Raises as `Reflection.reflect` does."""
        try:
            if reason := self._budgets.used_up(held.domain_id):
                return self._defer(held, reason)
            return self._finish(held, self._study(held))
        except LeaseLost as error:
            return _ended(held, Ending.LOST, error)
        except (BudgetExhausted, CircuitOpen) as error:
            return self.release(held, error)
        except AceError as error:
            return self.postpone(held, str(error), error)

    def postpone(self, held: Held, reason: str, error: AceError | None = None) -> Reflected:
        """Put the assignment off, for this reason."""
        return _gave_up(held, lambda: self._queue.postpone(held, reason, self._now()), error, Ending.POSTPONED)

    def release(self, held: Held, error: AceError | None = None) -> Reflected:
        """Give the assignment back as if it had not been taken."""
        return _gave_up(held, lambda: self._queue.release(held), error, Ending.RELEASED)

    def _defer(self, held: Held, reason: str) -> Reflected:
        due_at = self._budgets.due_again()
        return _gave_up(held, lambda: self._queue.defer(held, reason, due_at), None, Ending.DEFERRED)

    def _study(self, held: Held) -> Lesson:
        with self._budgets.charging(held.domain_id, self._meter):
            return self._learning().study(held.domain_id, held.assignment.task, episode_id=held.id)

    def _finish(self, held: Held, lesson: Lesson) -> Reflected:
        if not held.assignment.keep:
            self._queue.finish(held, lesson)
            return _ended(held, Ending.DONE)

        def along(transaction: Transaction, result: MergeResult) -> None:
            transaction.finish_assignment(held, kept(lesson, result))

        merged = kept(lesson, self._learning().keep_along(held.domain_id, lesson, along))
        return Reflected(domain_id=held.domain_id, episode_id=held.id, ending=Ending.DONE, added=merged.added,
                         merged=merged.merged, held=merged.held)  # fmt: skip

    def _now(self) -> float:
        return self._clock.now().timestamp()


def kept(lesson: Lesson, result: MergeResult) -> Kept:
    """What the merge came to, in figures."""
    return Kept(
        added=result.count(Outcome.ADDED, Outcome.LINKED),
        merged=result.count(Outcome.MERGED, Outcome.REPEATED),
        held=result.count(Outcome.HELD),
        correct=lesson.feedback.correct,
        position=result.position,
    )


def _gave_up(held: Held, write: Callable[[], EpisodeStatus], error: AceError | None, ending: Ending) -> Reflected:
    try:
        status = write()
    except LeaseLost as lost:
        return _ended(held, Ending.LOST, lost)
    return _ended(held, Ending.DEAD if status.state == EpisodeState.DEAD else ending, error)


def _ended(held: Held, ending: Ending, error: AceError | None = None) -> Reflected:
    return Reflected(domain_id=held.domain_id, episode_id=held.id, ending=ending, error=error)
