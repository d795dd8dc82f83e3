"""An assignment: a task of a run that any worker may do, and what the one that does it holds meanwhile.

Its states are an episode's (`ace.models.episode`), and so is the table of what becomes of them (`ace.core.leasing`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ace.models.task import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """Do `task`, as the episode `id`. `keep`: merge what it teaches at once; otherwise the run that asked does."""

    id: str
    domain_id: str
    run_id: str
    task: Task
    keep: bool
    reported_at: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """An assignment in the hands of a worker; worker and attempt are the fencing token, as in a `Claim`."""

    assignment: Assignment
    worker: str
    attempt: int

    @property
    def domain_id(self) -> str:
        return self.assignment.domain_id

    @property
    def id(self) -> str:
        return self.assignment.id


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What the merge of an assignment's lesson came to: bullets `added`, insights `merged`, `held` for a person."""

    added: int
    merged: int
    held: int
    correct: bool | None
    position: int
