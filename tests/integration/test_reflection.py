"""What becomes of a claimed episode: the service and its crew over the shipped fakes, at every way it can end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ace.core.ports import Reflector
from ace.curator.semantic_curator import CosineRule, SemanticCurator
from ace.errors import (
    BudgetExhausted,
    CircuitOpen,
    InvalidInput,
    LeaseLost,
    ModelUnreachable,
    StoreUnavailable,
    UnusableAnswer,
)
from ace.models.episode import Episode, EpisodeState, EpisodeStatus
from ace.models.insight import Delta, Insight, Tag, Vote
from ace.models.plan import Add
from ace.models.playbook import Bullet
from ace.models.task import Feedback, FeedbackSource, Task, Trajectory
from ace.reflector.template_reflector import TemplateReflector
from ace.services.reflection import Ending, Reflection, has_something_to_teach
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.testing.episodes import InMemoryEpisodes
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from ace.workers.crew import Crew
from tests.episodes import TRUE, UNJUDGED, episode
from tests.playbooks import DOMAIN, NOW, assert_sound, bullet

LEASE = 300.0
AT = FrozenClock().now().timestamp()


@dataclass
class Tutor:
    """A Reflector that votes helpful on what was shown and cited, teaches one lesson, and may be made to fail."""

    fails: Callable[[Task], Exception | None] = lambda task: None
    asked: list[str] = field(default_factory=list)

    def reflect(self, task: Task, trajectory: Trajectory, feedback: Feedback, bullets: Sequence[Bullet]) -> Delta:
        self.asked.append(trajectory.episode_id)
        if error := self.fails(task):
            raise error
        votes = tuple(Vote(bullet_id=b.id, tag=Tag.HELPFUL) for b in bullets if b.id in trajectory.cited)
        return Delta(episode_id="another", insights=(Insight(content=f"lesson on {task.question}"),), votes=votes)


class World:
    """Everything around one reflection, in memory."""

    def __init__(
        self,
        fails: Callable[[Task], Exception | None] = lambda task: None,
        *,
        queue: type[InMemoryEpisodes] = InMemoryEpisodes,
        reflector: Reflector | None = None,
    ) -> None:
        self.clock, self.store = FrozenClock(), InMemoryPlaybook()
        self.episodes, self.tutor = queue(self.store), Tutor(fails)
        curator = SemanticCurator(
            store=self.store,
            index=ExactIndex(self.store),
            embedder=HashEmbedder(),
            second_look=CosineRule(),
            clock=self.clock,
        )
        self.reflection = Reflection(
            store=self.store,
            episodes=self.episodes,
            reflector=reflector or self.tutor,
            curator=curator,
            embedder=HashEmbedder(),
            clock=self.clock,
            lease_s=LEASE,
        )

    def known(self, text: str) -> str:
        made = bullet(text)
        with self.store.transaction(DOMAIN) as transaction:
            transaction.apply([Add(bullet=made)], vectors={made.id: HashEmbedder().embed([text])[0]}, now=NOW)
        return made.id

    def crew(self, folder: Path, **options: object) -> Crew:
        defaults = {"stop": threading.Event(), "alive": folder / "alive", "once": True, "poll_s": 0.01}
        return Crew(self.reflection, **{**defaults, **options})  # type: ignore[arg-type]

    def status(self, own: str = "e1") -> EpisodeStatus:
        found = self.episodes.status(DOMAIN, own)
        assert found is not None
        return found


def test_an_episode_is_merged_and_done_with_its_figures() -> None:
    world = World()
    cited, ignored = world.known("round half up"), world.known("use the table")
    world.episodes.report(episode("e1", question="sums", shown=[cited, ignored], cited=[cited], at=AT))
    claim = world.reflection.claim("w")
    assert claim is not None
    done = world.reflection.reflect(claim)
    assert (done.ending, done.added, done.merged, done.votes, done.error) == (Ending.DONE, 1, 0, 1, None)
    assert world.status().state == EpisodeState.DONE
    assert world.status().result == '{"added":1,"held":0,"merged":0,"position":5,"votes":1}'
    assert {b.id: b.helpful_count for b in world.store.get_many(DOMAIN, [cited, ignored])} == {cited: 1, ignored: 0}
    assert [b.origin.episode_id for b in world.store.get_all(DOMAIN)][-1] == "e1", "whatever the reflector calls it"
    assert_sound(world.store)


def test_a_lesson_known_already_is_merged() -> None:
    world = World()
    own = world.known("lesson on sums")
    world.episodes.report(episode("e1", question="sums", at=AT))
    claim = world.reflection.claim("w")
    assert claim is not None
    done = world.reflection.reflect(claim)
    assert (done.added, done.merged, done.votes) == (0, 1, 0)
    assert world.store.get_many(DOMAIN, [own])[0].helpful_count == 1


def test_a_bullet_that_was_not_shown_gets_no_vote() -> None:
    world = World()
    own = world.known("round half up")
    world.episodes.report(episode("e1", cited=[own], at=AT))
    claim = world.reflection.claim("w")
    assert claim is not None
    assert world.reflection.reflect(claim).votes == 0


@pytest.mark.parametrize(
    ("given", "teaches"),
    [
        pytest.param(episode("e", feedback=UNJUDGED), False, id="an-answer-alone"),
        pytest.param(episode("e", feedback=TRUE), True, id="a-verdict"),
        pytest.param(episode("e", feedback=UNJUDGED, reasoning="so"), True, id="a-reasoning"),
        pytest.param(episode("e", feedback=UNJUDGED, error="boom"), True, id="an-error"),
        pytest.param(
            episode("e", feedback=Feedback(correct=None, source=FeedbackSource.ENVIRONMENT, detail="404")),
            True,
            id="what-the-environment-said",
        ),
    ],
)
def test_a_model_is_asked_only_where_there_is_something_to_learn(given: Episode, teaches: bool) -> None:
    assert has_something_to_teach(given) is teaches


def test_an_episode_without_verdict_and_trace_is_done_without_a_call() -> None:
    world = World()
    world.episodes.report(episode("e1", feedback=UNJUDGED, at=AT))
    claim = world.reflection.claim("w")
    assert claim is not None
    assert world.reflection.reflect(claim).ending == Ending.DONE
    assert (world.status().state, world.tutor.asked) == (EpisodeState.DONE, [])


@pytest.mark.parametrize(
    ("error", "ending", "state", "attempts"),
    [
        pytest.param(UnusableAnswer("gibberish"), Ending.POSTPONED, EpisodeState.QUEUED, 1, id="model"),
        pytest.param(ModelUnreachable("away"), Ending.POSTPONED, EpisodeState.QUEUED, 1, id="outage"),
        pytest.param(InvalidInput("key", "is wrong"), Ending.POSTPONED, EpisodeState.QUEUED, 1, id="yours"),
        pytest.param(CircuitOpen("reflector", 30), Ending.RELEASED, EpisodeState.QUEUED, 0, id="breaker"),
        pytest.param(BudgetExhausted("no calls left"), Ending.RELEASED, EpisodeState.QUEUED, 0, id="budget"),
        pytest.param(LeaseLost("not yours"), Ending.LOST, EpisodeState.LEASED, 1, id="lost"),
    ],
)
def test_each_failure_has_its_ending(error: Exception, ending: Ending, state: EpisodeState, attempts: int) -> None:
    world = World(lambda task: error)
    world.episodes.report(episode("e1", at=AT))
    claim = world.reflection.claim("w")
    assert claim is not None
    ended = world.reflection.reflect(claim)
    assert (ended.ending, ended.error) == (ending, error)
    assert (world.status().state, world.status().attempts) == (state, attempts)
    assert world.store.domains() == []


def test_a_poisonous_episode_is_dead_after_five_attempts_with_its_reason() -> None:
    world = World(lambda task: UnusableAnswer("gibberish again"))
    world.episodes.report(episode("e1", at=AT))
    endings = []
    while claim := world.reflection.claim("w"):
        endings.append(world.reflection.reflect(claim).ending)
        world.clock.advance(3600)
    assert endings == [Ending.POSTPONED] * 4 + [Ending.DEAD]
    assert (world.status().state, world.status().error) == (EpisodeState.DEAD, "gibberish again")


def test_a_worker_that_comes_back_after_its_lease_writes_nothing() -> None:
    world = World()
    world.episodes.report(episode("e1", at=AT))
    slow = world.reflection.claim("slow")
    world.clock.advance(LEASE)
    quick = world.reflection.claim("quick")
    assert slow is not None
    assert quick is not None
    assert world.reflection.reflect(slow).ending == Ending.LOST
    assert world.store.entries(DOMAIN) == []
    assert world.reflection.reflect(quick).ending == Ending.DONE
    assert len(assert_sound(world.store)) == 2  # what it showed, and what it taught


def test_a_crew_drains_what_is_due_and_counts(tmp_path: Path) -> None:
    world = World()
    own = world.known("round half up")
    for number in range(12):
        world.episodes.report(episode(f"e{number}", question=f"sum {number}", shown=[own], cited=[own], at=AT))
    summary = world.crew(tmp_path, concurrency=3).run()
    figures = summary.to_json()
    assert {name: figures[name] for name in ("done", "postponed", "dead", "released", "lost", "votes")} == {
        "done": 12, "postponed": 0, "dead": 0, "released": 0, "lost": 0, "votes": 12,
    }  # fmt: skip
    assert figures["added"] + figures["merged"] == 12
    assert figures["added"] == len(world.store.get_all(DOMAIN)) - 1
    assert world.store.get_many(DOMAIN, [own])[0].helpful_count == 12
    assert sorted(world.tutor.asked) == sorted({f"e{number}" for number in range(12)}), "one call an episode"
    assert (tmp_path / "alive").exists()
    assert_sound(world.store)


def test_an_error_that_is_not_ours_is_logged_and_the_next_episode_is_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(lambda task: ZeroDivisionError("oops") if task.question == "bad" else None)
    world.episodes.report(episode("e1", question="bad", at=AT))
    world.episodes.report(episode("e2", question="good", at=AT))
    with caplog.at_level(logging.INFO, "ace.reflector"):
        summary = world.crew(tmp_path).run()
    assert (summary.endings[Ending.POSTPONED], summary.endings[Ending.DONE]) == (1, 1)
    assert world.status().error == "ZeroDivisionError: oops"
    failed = next(record for record in caplog.records if record.message == "reflection_failed")
    assert failed.exc_info is not None
    complete = vars(next(record for record in caplog.records if record.message == "reflection_complete"))
    assert {key: complete[key] for key in ("domain", "episode", "added", "merged", "votes")} == {
        "domain": DOMAIN, "episode": "e2", "added": 1, "merged": 0, "votes": 0,
    }  # fmt: skip
    assert complete["seconds"] >= 0


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(BudgetExhausted("no calls left"), id="budget"),
        pytest.param(CircuitOpen("reflector", 30), id="breaker"),
    ],
)
def test_what_would_fail_for_every_episode_stops_the_crew_and_costs_no_attempt(
    tmp_path: Path, error: Exception
) -> None:
    world = World(lambda task: error)
    for own in ("e1", "e2"):
        world.episodes.report(episode(own, at=AT))
    with pytest.raises(type(error)):
        world.crew(tmp_path).run()
    assert [(s.state, s.attempts) for s in world.episodes.list(DOMAIN)] == [(EpisodeState.QUEUED, 0)] * 2
    assert len(world.tutor.asked) == 1


def test_a_crew_that_is_told_to_stop_gives_back_what_it_cannot_finish(tmp_path: Path) -> None:
    reached, go_on, stop = threading.Event(), threading.Event(), threading.Event()

    def hang(task: Task) -> None:
        reached.set()
        go_on.wait(60)

    world = World(hang)
    world.episodes.report(episode("e1", at=AT))
    crew = world.crew(tmp_path, once=False, stop=stop)
    runner = threading.Thread(target=crew.run)
    runner.start()
    assert reached.wait(60)
    stop.set()
    runner.join(60)
    assert (world.status().state, world.status().attempts) == (EpisodeState.QUEUED, 0)
    go_on.set()
    assert crew.summary.endings[Ending.RELEASED] == 1
    assert world.store.entries(DOMAIN) == [], "what it finishes later is refused"


class Away(InMemoryEpisodes):
    """A queue whose database is away."""

    def claim(self, *_: object) -> None:  # type: ignore[override]
        raise StoreUnavailable("the database is away")


def test_a_database_that_is_away_is_an_outage_for_once_and_waited_for_otherwise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world, stop = World(queue=Away), threading.Event()
    with pytest.raises(StoreUnavailable):
        world.crew(tmp_path).run()
    runner = threading.Thread(target=world.crew(tmp_path, once=False, stop=stop).run)
    with caplog.at_level(logging.WARNING, "ace.reflector"):
        runner.start()
        while "reflector_waits" not in caplog.messages:
            assert runner.is_alive()
            stop.wait(0.01)
        stop.set()
        runner.join(60)
    assert not runner.is_alive()


def test_the_template_needs_no_model_at_all() -> None:
    world = World(reflector=TemplateReflector())
    world.episodes.report(episode("e1", at=AT))
    claim = world.reflection.claim("w")
    assert claim is not None
    assert world.reflection.reflect(claim).added == 1
    assert world.store.get_all(DOMAIN)[0].content == "Question: What is 2 + 2? Answer: 4"
