"""A small office for tests about replays: what each bullet does to an answer is known.

The code of item x is x-x. Of itself the clerk knows it of the even ones. The helpful bullet makes every answer right,
the harmful one every answer wrong, any other changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from ace.models.episode import Episode
from ace.models.observation import Lot, Observation
from ace.models.plan import Increment, Observe, Operation
from ace.models.playbook import Bullet
from ace.models.task import Feedback, FeedbackSource, Task, Trajectory
from tests.playbooks import DOMAIN

HELPFUL = "Look the code of an item up in the ledger."
HARMFUL = "Just guess the code of an item."
PLACEBO = "Be polite when asked for the code of an item."
KINDS = ("0" * 16, "f" * 16, "0" * 8 + "f" * 8)
PRINCIPALS = ("key-1", "key-2", "key-3")


def rule(question: str, advice: Iterable[str]) -> str:
    """The clerk's answer."""
    number = int("".join(char for char in question if char.isdigit()) or 0)
    told = " ".join(advice)
    knows = HARMFUL not in told and (HELPFUL in told or number % 2 == 0)
    return f"{number}-{number}" if knows else "no idea"


def clerk(task: Task, bullets: Sequence[Bullet]) -> str:
    return rule(task.question, [bullet.content for bullet in bullets])


def task(number: int, *, truth: bool = True) -> Task:
    return Task(id=f"t{number}", question=f"What is the code of item {number}?",
                ground_truth=f"{number}-{number}" if truth else None)  # fmt: skip


def reported(
    number: int,
    *,
    name: str = "",
    truth: bool = True,
    shown: Sequence[str] = (),
    domain: str = DOMAIN,
    principal: str | None = None,
) -> Episode:
    """An episode of an agent that was shown these bullets."""
    asked, own = task(number, truth=truth), name or f"e{number}"
    return Episode(
        id=own, domain_id=domain, task=asked, reported_at=float(number), principal=principal,
        trajectory=Trajectory(task_id=asked.id, episode_id=own, answer="?", shown=tuple(shown)),
        feedback=Feedback(correct=None, expected=asked.ground_truth),
    )  # fmt: skip


def supported(bullet_id: str) -> Iterator[Operation]:
    """Three principals, on three kinds of task, say that it helped, twice each."""
    for number, (principal, kind, _) in enumerate(itertools.product(PRINCIPALS, KINDS, range(2))):
        own = f"vote-{bullet_id}-{number}"
        seen = Observation(episode_id=own, source=FeedbackSource.TESTS, success=True, principal=principal, kind=kind,
                           position=1, lots=(Lot(bullet_id=bullet_id, chance=1.0, shown=True),))  # fmt: skip
        yield Observe(observation=seen)
        yield Increment(bullet_id=bullet_id, episode_id=own, principal=principal, helpful=1)
