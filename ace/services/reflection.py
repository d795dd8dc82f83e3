"""Reflect on what agents reported: one claimed episode at a time, merged and marked DONE in one commit.

    what happened                                   the episode is
    merged                                          DONE       in the merge's own transaction: once, or not at all
    LeaseLost                                       left to the worker that has it by now; nothing was written
    its domain's budget of the day is used up       deferred   no attempt was made; due again when there may be room
    BudgetExhausted, CircuitOpen                    released   no attempt was made
    ModelError, Outage, any other error of ours     postponed  tried again later, DEAD after the last attempt

Only bullets that were shown are voted on, and only if the answer cited them. An episode without a verdict and without
a trace has nothing to teach: it is DONE without asking a model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from ace.core.journal import digest
from ace.core.kinds import mark
from ace.core.observing import observe
from ace.core.ports import Clock, Embedder, EpisodeQueue, Meter, PlaybookStore, Reflector, Transaction
from ace.curator.semantic_curator import SemanticCurator
from ace.errors import AceError, BudgetExhausted, CircuitOpen, LeaseLost
from ace.models.episode import Claim, Episode, EpisodeState, EpisodeStatus
from ace.models.insight import Delta
from ace.models.observation import Observation
from ace.models.plan import MergeResult, Outcome
from ace.services.budgets import Budgets


class Ending(StrEnum):
    """What became of a claimed episode."""

    DONE = "done"  # merged
    POSTPONED = "postponed"  # tried in vain; again later
    DEAD = "dead"  # tried in vain for the last time
    RELEASED = "released"  # not tried
    DEFERRED = "deferred"  # not tried, for its domain has no budget left today
    LOST = "lost"  # another worker has it


@dataclass(frozen=True, kw_only=True, slots=True)
class Reflected:
    """The facts: bullets `added`, insights `merged` into bullets there were and `held` for a person, `votes` on
    bullets cited. `day` and `reason`: for what day of UTC it was deferred, and why."""

    domain_id: str
    episode_id: str
    ending: Ending
    added: int = 0
    merged: int = 0
    held: int = 0
    votes: int = 0
    error: AceError | None = None
    day: str = ""
    reason: str = ""


class Reflection:
    """Works on one store's episodes. Safe to share between threads. Without budgets, nothing that is spent is kept."""

    def __init__(
        self,
        *,
        store: PlaybookStore,
        episodes: EpisodeQueue,
        reflector: Reflector,
        curator: SemanticCurator,
        embedder: Embedder,
        clock: Clock,
        lease_s: float,
        budgets: Budgets | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._store, self._episodes, self._reflector = store, episodes, reflector
        self._curator, self._embedder, self._clock, self._lease_s = curator, embedder, clock, lease_s
        self._budgets, self._meter = budgets, meter

    def claim(self, worker: str, domain: str | None = None) -> Claim | None:
        """The longest due episode; None when none is due."""
        return self._episodes.claim(worker, self._now(), self._lease_s, domain)

    def claim_one(self, worker: str, domain: str, episode_id: str) -> Claim | None:
        """This very episode, due or not; None when it is not to be had."""
        return self._episodes.claim_one(worker, self._now(), self._lease_s, domain, episode_id)

    def reflect(self, claim: Claim) -> Reflected:
        """Reflect on the episode and merge what it teaches; when that fails, do what the table says.

        Raises only what is no error of ours, and StoreUnavailable when not even the failure can be written down: the
        lease will run out.
        """
        try:
            if self._budgets and (reason := _no_budget(self._budgets, claim.episode)):
                return self._defer(claim, self._budgets, reason)
            return self._merge(claim, replace(self._study(claim.episode), observation=self._observed(claim.episode)))
        except LeaseLost as error:
            return _ended(claim.episode, Ending.LOST, error)
        except (BudgetExhausted, CircuitOpen) as error:
            return self.release(claim, error)
        except AceError as error:
            return self.postpone(claim, str(error), error)

    def postpone(self, claim: Claim, reason: str, error: AceError | None = None) -> Reflected:
        """Put the episode off, for this reason."""
        return self._give_up(claim, lambda: self._episodes.postpone(claim, reason, self._now()), error)

    def release(self, claim: Claim, error: AceError | None = None) -> Reflected:
        """Give the episode back as if it had not been taken."""
        return self._give_up(claim, lambda: self._episodes.release(claim), error, Ending.RELEASED)

    def _defer(self, claim: Claim, budgets: Budgets, reason: str) -> Reflected:
        day, due_at = budgets.today(claim.episode.domain_id).day, budgets.due_again()
        given = self._give_up(claim, lambda: self._episodes.defer(claim, reason, due_at), None, Ending.DEFERRED)
        return replace(given, day=day, reason=reason)

    def _study(self, episode: Episode) -> Delta:
        if not has_something_to_teach(episode):
            return Delta(episode_id=episode.id, task_id=episode.task.id)
        trajectory = replace(episode.trajectory, episode_id=episode.id)
        shown = self._store.get_many(episode.domain_id, trajectory.shown)
        with self._charging(episode.domain_id):
            delta = self._reflector.reflect(episode.task, trajectory, episode.feedback, shown)
        return replace(delta, episode_id=episode.id, principal=episode.principal, shown=trajectory.shown,
                       prompt_hash=prompt_hash(episode))  # fmt: skip

    def _charging(self, domain_id: str) -> AbstractContextManager[None]:
        return self._budgets.charging(domain_id, self._meter) if self._budgets and self._meter else nullcontext()

    def _observed(self, episode: Episode) -> Observation:
        asked = f"{episode.task.question}\n{episode.task.context}".strip()
        return observe(episode, mark(self._embedder.embed([asked])[0]))

    def _merge(self, claim: Claim, delta: Delta) -> Reflected:
        def along(transaction: Transaction, result: MergeResult) -> None:
            transaction.finish_episode(claim, _figures(result) | {"position": result.position})

        result = self._curator.apply_delta(delta, claim.episode.domain_id, along=along)
        return replace(_ended(claim.episode, Ending.DONE), **_figures(result))

    def _give_up(
        self,
        claim: Claim,
        write: Callable[[], EpisodeStatus],
        error: AceError | None,
        ending: Ending = Ending.POSTPONED,
    ) -> Reflected:
        try:
            status = write()
        except LeaseLost as lost:
            return _ended(claim.episode, Ending.LOST, lost)
        return _ended(claim.episode, Ending.DEAD if status.state == EpisodeState.DEAD else ending, error)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def has_something_to_teach(episode: Episode) -> bool:
    """Is there a verdict, or a trace of what the agent did?"""
    trajectory, feedback = episode.trajectory, episode.feedback
    judged = feedback.correct is not None or bool(feedback.detail) or feedback.expected is not None
    return judged or bool(trajectory.reasoning or trajectory.steps or trajectory.error)


def _no_budget(budgets: Budgets, episode: Episode) -> str | None:
    """Why a model may not be asked about this episode today, where one would be."""
    return budgets.used_up(episode.domain_id) if has_something_to_teach(episode) else None


def prompt_hash(episode: Episode) -> str:
    """SHA-256 of what the agent was asked: question, context, and the ids of the bullets in its prompt."""
    asked = [episode.task.question, episode.task.context, list(episode.trajectory.shown)]
    return digest(json.dumps(asked).encode())


def _figures(result: MergeResult) -> dict[str, Any]:
    """The operations are one observation, then bullets added, contradictions of these, insights merged, and votes."""
    added, merged = result.count(Outcome.ADDED, Outcome.LINKED), result.count(Outcome.MERGED)
    linked = sum(len(one.contradicts) for one in result.outcomes if one.outcome == Outcome.LINKED)
    votes = result.operations - 1 - added - linked - merged
    return {"added": added, "merged": merged, "held": result.count(Outcome.HELD), "votes": votes}


def _ended(episode: Episode, ending: Ending, error: AceError | None = None) -> Reflected:
    return Reflected(domain_id=episode.domain_id, episode_id=episode.id, ending=ending, error=error)
