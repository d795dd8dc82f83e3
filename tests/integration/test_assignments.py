"""Tasks of a run, done by workers: the queue's contract on each queue there is, and what a run makes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from ace.core.leasing import MAX_ATTEMPTS
from ace.core.ports import AssignmentQueue, PlaybookStore, UsageStore
from ace.core.ranking import VISIBLE
from ace.curator.semantic_curator import CosineRule, SemanticCurator
from ace.errors import CircuitOpen, Conflict, InvalidInput, LeaseLost, ModelUnreachable, Outage
from ace.models.assignment import Assignment, Held, Kept
from ace.models.episode import EpisodeState
from ace.models.plan import Add
from ace.models.playbook import Traffic
from ace.models.run import Limits
from ace.models.task import AnswerKind, Task
from ace.models.usage import Spent
from ace.reflector.template_reflector import TemplateReflector
from ace.repositories.assignment_repository import AssignmentRepository
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.usage_repository import UsageRepository
from ace.services.assigned import Assigned
from ace.services.assigning import Assigning
from ace.services.budgets import Budgets
from ace.services.errands import Errands
from ace.services.learning import Learning
from ace.services.reflection import Ending
from ace.services.retrieval import Retrieval
from ace.services.training import Curriculum, Training
from ace.testing.assignments import InMemoryAssignments
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.testing.generator import RuleGenerator
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from ace.testing.usage import InMemoryUsage
from ace.utils.llm_meter import Meter
from ace.utils.run_folder import RunFolder
from ace.workers.crew import Crew
from tests.episodes import AT
from tests.playbooks import DOMAIN, NOW, assert_sound, bullet, vectors
from tests.replays import clerk, task

QUEUED, LEASED, DONE, DEAD = EpisodeState
LEASE = 60.0


class Shop:
    """A playbook, a queue, and workers that do what is in it."""

    def __init__(self, store: PlaybookStore, queue: AssignmentQueue, usage: UsageStore) -> None:
        self.store, self.queue, self.usage, self.clock = store, queue, usage, FrozenClock()

    def learning(self, before: Callable[[int], None] = lambda _: None) -> Learning:
        index, embedder = ExactIndex(self.store), HashEmbedder()
        curator = SemanticCurator(store=self.store, index=index, embedder=embedder, second_look=CosineRule(),
                                  clock=self.clock)  # fmt: skip
        retrieval = Retrieval(index=index, embedder=embedder, stages=VISIBLE[Traffic.SHADOW], floor=0.2,
                              trust_weight=0.1)  # fmt: skip
        return Learning(retrieval=retrieval, generator=RuleGenerator(clerk, before=before), curator=curator,
                        reflector=TemplateReflector(), meter=Meter(), k=2)  # fmt: skip

    def worker(self, before: Callable[[int], None] = lambda _: None, limits: Limits | None = None) -> Assigned:
        made = self.learning(before)
        return Assigned(queue=self.queue, learning=lambda: made, clock=self.clock, lease_s=LEASE, meter=Meter(),
                        budgets=Budgets(self.usage, self.clock, limits))  # fmt: skip

    def assigning(self, run_id: str = "run", sleep: Callable[[float], None] = lambda _: None) -> Assigning:
        return Assigning(self.queue, self.clock, sleep, domain_id=DOMAIN, run_id=run_id)

    def states(self, run_id: str = "run") -> dict[EpisodeState, int]:
        return {state: count for state, count in self.queue.counts(DOMAIN, run_id).items() if count}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    if request.param == "memory":
        memory = InMemoryPlaybook()
        yield Shop(memory, InMemoryAssignments(memory), InMemoryUsage())
        return
    opened = Database(request.getfixturevalue(f"{request.param}_url"), patience=30)
    yield Shop(PlaybookRepository(opened), AssignmentRepository(opened), UsageRepository(opened))
    opened.close()


def assignment(number: int = 1, *, keep: bool = True, run_id: str = "run") -> Assignment:
    return Assignment(id=f"{run_id}/1/t{number}", domain_id=DOMAIN, run_id=run_id, task=task(number), keep=keep,
                      reported_at=AT + number)  # fmt: skip


def taken(queue: AssignmentQueue, worker: str = "w", now: float = AT + 99) -> Held:
    held = queue.claim(worker, now, LEASE)
    assert held is not None
    return held


# the queue


def test_a_task_comes_back_as_it_was_and_once(shop: Shop) -> None:
    given = Task(id="t", question="Größe? \0 先", context="c", options=("4", "5"), ground_truth="4",
                 kind=AnswerKind.NUMBER, decimals=0, group="g")  # fmt: skip
    one = replace(assignment(), task=given)
    assert (shop.queue.assign([one]), shop.queue.assign([replace(one, reported_at=AT + 50)])) == (1, 0)
    held = taken(shop.queue)
    assert (held.assignment, held.worker, held.attempt) == (one, "w", 1)
    assert shop.queue.claim("other", AT + 99, LEASE) is None
    assert shop.states() == {LEASED: 1}
    assert shop.queue.counts("elsewhere", "run")[LEASED] == 0


def test_another_task_under_the_same_name_is_refused_whole(shop: Shop) -> None:
    shop.queue.assign([assignment(1)])
    with pytest.raises(Conflict, match="--run"):
        shop.queue.assign([assignment(2), replace(assignment(1), task=task(3))])
    assert shop.states() == {QUEUED: 1}
    with pytest.raises(InvalidInput):
        shop.queue.assign([replace(assignment(4), id="x" * 201)])


def test_they_are_done_in_the_order_they_were_given(shop: Shop) -> None:
    shop.queue.assign([assignment(number) for number in (3, 1, 2)])
    assert [taken(shop.queue).id for _ in range(3)] == ["run/1/t1", "run/1/t2", "run/1/t3"]


def test_a_lease_that_ran_out_goes_to_another_and_the_late_one_is_turned_away(shop: Shop) -> None:
    shop.queue.assign([assignment()])
    late = taken(shop.queue)
    quick = taken(shop.queue, "quick", AT + 99 + LEASE)
    lesson = shop.learning().study(DOMAIN, late.assignment.task, episode_id=late.id)
    for write in (lambda: shop.queue.finish(late, lesson), lambda: shop.queue.release(late)):
        with pytest.raises(LeaseLost):
            write()
    shop.queue.finish(quick, lesson)
    assert shop.states() == {DONE: 1}


def test_merge_and_done_are_one_commit_or_none(shop: Shop) -> None:
    shop.queue.assign([assignment()])
    held, new = taken(shop.queue), [Add(bullet=bullet("advice"))]
    came_to = Kept(added=1, merged=0, held=0, correct=None, position=1)
    with pytest.raises(ZeroDivisionError), shop.store.transaction(DOMAIN) as transaction:
        transaction.apply(new, vectors=vectors([*new]), now=NOW)
        transaction.finish_assignment(held, came_to)
        _ = 1 // 0
    assert (shop.states(), shop.store.get_all(DOMAIN)) == ({LEASED: 1}, [])
    taken(shop.queue, "quick", AT + 99 + LEASE)
    with pytest.raises(LeaseLost), shop.store.transaction(DOMAIN) as transaction:
        transaction.apply(new, vectors=vectors([*new]), now=NOW)
        transaction.finish_assignment(held, came_to)
    assert shop.store.get_all(DOMAIN) == []


def test_what_died_is_tried_again_when_the_run_is_given_again(shop: Shop) -> None:
    shop.queue.assign([assignment()])
    for _ in range(MAX_ATTEMPTS):
        shop.queue.postpone(taken(shop.queue, now=AT + 10**6), "no luck", AT)
    assert shop.states() == {DEAD: 1}
    assert shop.queue.ended(DOMAIN, ["run/1/t1", "none"])["run/1/t1"].error == "no luck"
    shop.queue.assign([assignment(run_id="another")])
    assert shop.states() == {DEAD: 1}
    assert shop.queue.assign([assignment()]) == 0
    assert shop.states() == {QUEUED: 1}


# a worker


def test_a_task_is_answered_reflected_on_and_merged(shop: Shop) -> None:
    asked = [(f"run/1/t{number}", task(number)) for number in (1, 2)]
    assert shop.assigning().assign(asked, keep=True) == 2
    worker = shop.worker()
    ends = [worker.reflect(held) for held in iter(lambda: worker.claim("w"), None)]
    assert [(one.ending, one.added) for one in ends] == [(Ending.DONE, 1)] * 2
    assert [one.correct for one in shop.assigning().kept(["run/1/t1", "run/1/t2"]) if one] == [False, True]
    assert [one.origin.episode_id for one in shop.store.get_all(DOMAIN)] == ["run/1/t1", "run/1/t2"]
    assert_sound(shop.store)


@pytest.mark.parametrize(
    ("error", "ending", "state"),
    [
        (ModelUnreachable("away"), Ending.POSTPONED, QUEUED),
        (CircuitOpen("generator", 9.0), Ending.RELEASED, QUEUED),
    ],
)
def test_what_fails_is_put_off_or_given_back(shop: Shop, error: Exception, ending: Ending, state: EpisodeState) -> None:
    def fail(_: int) -> None:
        raise error

    shop.assigning().assign([("e", task(1))], keep=True)
    worker = shop.worker(fail)
    held = worker.claim("w")
    assert held is not None
    assert (worker.reflect(held).ending, shop.states()) == (ending, {state: 1})
    assert worker.reflect(held).ending == Ending.LOST


def test_a_domain_without_budget_waits_for_tomorrow(shop: Shop) -> None:
    shop.assigning().assign([("e", task(1))], keep=True)
    worker = shop.worker(limits=Limits(calls=0))
    held = worker.claim("w")
    assert held is not None
    assert worker.reflect(held).ending == Ending.DEFERRED
    assert worker.claim("w") is None
    assert shop.usage.spent(DOMAIN, "2026-03-01") == Spent()


# a run


def study_in_the_background(shop: Shop, folder: Path, count: int) -> tuple[threading.Event, list[Thread]]:
    """So many workers, each of its own, until the event is set."""
    stop = threading.Event()
    crews = [Crew(Errands(shop.worker()), stop=stop, alive=folder / f"alive-{n}", poll_s=0.01) for n in range(count)]
    threads = [Thread(target=crew.run) for crew in crews]
    for thread in threads:
        thread.start()
    return stop, threads


def trained(shop: Shop, folder: Path, workers: Assigning | None) -> list[str]:
    """Two epochs over eight tasks in batches of four; the journal it makes, by its hashes."""
    with RunFolder.open(folder, {}) as log:
        training = Training(learning=shop.learning(), store=shop.store, log=log, clock=shop.clock, workers=workers)
        tasks = tuple(task(number) for number in range(8))
        steps = list(training.run(Curriculum(run_id="run", domain_id=DOMAIN, train=tasks, epochs=2, batch=4)))
    assert len(steps) == 17
    return [entry.hash for entry in shop.store.entries(DOMAIN)]


@pytest.mark.parametrize("count", [1, 3])
def test_workers_teach_what_one_process_teaches_however_many_they_are(shop: Shop, tmp_path: Path, count: int) -> None:
    memory = InMemoryPlaybook()
    alone = trained(Shop(memory, InMemoryAssignments(memory), InMemoryUsage()), tmp_path / "alone", None)
    stop, threads = study_in_the_background(shop, tmp_path, count)
    try:
        pause = threading.Event()
        together = trained(shop, tmp_path / "together", shop.assigning(sleep=lambda _: pause.wait(0.01) and None))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert together == alone
    assert shop.states() == {DONE: 16}
    assert_sound(shop.store)


def test_a_task_that_workers_gave_up_stops_the_run_and_says_why(shop: Shop) -> None:
    def give_up(_: float) -> None:
        shop.queue.postpone(taken(shop.queue, now=AT + 10**9), "the model is away", AT)

    with pytest.raises(Outage, match=r"run/1/t1.*the model is away.*same command tries it again"):
        shop.assigning(sleep=give_up).lessons([("run/1/t1", task(1))])
