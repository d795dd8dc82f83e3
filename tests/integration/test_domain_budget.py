"""A domain's budget: its episodes wait when it is used up, those of others do not, and what is spent is counted."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ace.config import Settings
from ace.core.ports import EpisodeQueue, PlaybookStore, UsageStore
from ace.curator.semantic_curator import CosineRule, SemanticCurator
from ace.models.episode import Episode, EpisodeState
from ace.models.run import Limits
from ace.models.task import Feedback, FeedbackSource
from ace.models.usage import Spent
from ace.reflector.grounded_reflector import GroundedReflector
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.usage_repository import UsageRepository
from ace.services.budgets import Budgets
from ace.services.reflection import Ending, Reflection
from ace.testing.breakers import InMemoryBreakers
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.testing.episodes import InMemoryEpisodes
from ace.testing.index import ExactIndex
from ace.testing.llm import ChatRequest, Reply, ScriptedLLM, say, status
from ace.testing.playbook import InMemoryPlaybook
from ace.testing.usage import InMemoryUsage
from ace.utils.clock import SystemClock
from ace.utils.llm_adapter import CompactAdapter
from ace.utils.llm_breaker_state import SharedBreakers
from ace.utils.llm_client import language_model
from ace.utils.llm_meter import Meter
from ace.utils.llm_protection import Backoff, Protection
from ace.utils.llm_rate_limit import RateLimiter
from ace.workers.crew import Crew
from tests.episodes import TRUE, UNJUDGED, episode

AT = FrozenClock().now().timestamp()
WRONG = Feedback(correct=False, source=FeedbackSource.GROUND_TRUTH, expected="4")
DEAR, CHEAP = "dear", "cheap"
USED = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def lesson(request: ChatRequest) -> Reply:
    """One lesson on each episode, after a moment; 120 tokens."""
    item = re.findall(r"item (\w+)", request.prompt)[-1]
    found = {"section": "strategy", "content": f"Look item {item} up in the ledger.", "confidence": 0.9}
    return say(json.dumps({"tags": {}, "lessons": [found]}), delay_s=0.02, usage=USED)


class Shop:
    """Stores of one kind, a model that is asked over HTTP, and reflections on them, each as of a process of its own."""

    def __init__(self, store: PlaybookStore, episodes: EpisodeQueue, usage: UsageStore) -> None:
        self.store, self.episodes, self.usage, self.clock = store, episodes, usage, FrozenClock()

    def report(self, *given: Episode) -> None:
        for one in given:
            assert self.episodes.report(one)

    def budgets(self, limits: Limits) -> Budgets:
        return Budgets(self.usage, self.clock, limits)

    def reflection(self, llm: ScriptedLLM, limits: Limits) -> Reflection:
        meter, clock = Meter(), SystemClock()
        protection = Protection(breakers=SharedBreakers(InMemoryBreakers, clock), limiter=RateLimiter(None),
                                deadline_s=30, clock=clock, backoff=Backoff(tries=1, first_s=0.01))  # fmt: skip
        lm = language_model(Settings(), base_url=llm.url, meter=meter)
        reflector = GroundedReflector(predict=protection, lm=lm, adapter=CompactAdapter(), scope=meter.scope)
        curator = SemanticCurator(store=self.store, index=ExactIndex(self.store), embedder=HashEmbedder(),
                                  second_look=CosineRule(), clock=self.clock)  # fmt: skip
        return Reflection(store=self.store, episodes=self.episodes, reflector=reflector, curator=curator,
                          embedder=HashEmbedder(), clock=self.clock, lease_s=300.0, budgets=self.budgets(limits),
                          meter=meter)  # fmt: skip

    def crew(self, llm: ScriptedLLM, limits: Limits, folder: Path, **options: int) -> Crew:
        return Crew(self.reflection(llm, limits), stop=threading.Event(), alive=folder / "alive", once=True, **options)

    def states(self, domain: str) -> dict[EpisodeState, int]:
        return {state: count for state, count in self.episodes.counts(domain).items() if count}

    def today(self, domain: str) -> Spent:
        return self.budgets(Limits()).today(domain).spent


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    if request.param == "memory":
        memory = InMemoryPlaybook()
        yield Shop(memory, InMemoryEpisodes(memory), InMemoryUsage())
        return
    opened = Database(request.getfixturevalue(f"{request.param}_url"), patience=30)
    yield Shop(PlaybookRepository(opened), EpisodeRepository(opened), UsageRepository(opened))
    opened.close()


def items(domain: str, count: int, feedback: Feedback = TRUE) -> list[Episode]:
    return [episode(f"{domain}{n}", question=f"What is the code of item {domain}{n}?", domain=domain, at=AT,
                    feedback=feedback) for n in range(count)]  # fmt: skip


def test_an_episode_costs_one_call_at_most_whatever_came_of_it(shop: Shop, tmp_path: Path) -> None:
    """Right, wrong, of no known outcome but with a trace, and with nothing to teach."""
    traced = [episode(f"t{n}", question=f"item t{n}", domain="c", at=AT, feedback=UNJUDGED, reasoning="so")
              for n in range(3)]  # fmt: skip
    shop.report(*items("a", 6), *items("b", 6, WRONG), *traced, *items("d", 3, UNJUDGED))
    with ScriptedLLM(lesson) as llm:
        summary = shop.crew(llm, Limits(), tmp_path).run()
        asked = len(llm.requests)
    assert summary.endings[Ending.DONE] == 18
    assert asked == 15, "one for each episode that has something to teach: less than one an episode"
    assert [shop.today(domain) for domain in "abcd"] == [
        Spent(calls=6, tokens=720), Spent(calls=6, tokens=720), Spent(calls=3, tokens=360), Spent()
    ]  # fmt: skip


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(Limits(calls=3), id="calls"),
        pytest.param(Limits(tokens=300), id="tokens"),
    ],
)
def test_a_domain_without_budget_waits_and_others_go_on(
    shop: Shop, tmp_path: Path, limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    shop.report(*items(DEAR, 6), *items(CHEAP, 2))
    with ScriptedLLM(lesson) as llm:
        summary = shop.crew(llm, limits, tmp_path).run()
    assert (summary.endings[Ending.DONE], summary.endings[Ending.DEFERRED]) == (5, 3)
    assert shop.states(DEAR) == {EpisodeState.DONE: 3, EpisodeState.QUEUED: 3}
    assert shop.states(CHEAP) == {EpisodeState.DONE: 2}
    waiting = shop.episodes.list(DEAR, EpisodeState.QUEUED)
    assert {(one.attempts, one.due_at) for one in waiting} == {(0, AT + 900)}
    assert all((one.error or "").startswith("The budget of domain dear for today is used up: ") for one in waiting)
    told = [record.__dict__ for record in caplog.records if record.message == "domain_budget_used_up"]
    assert [one["domain"] for one in told] == [DEAR], "once, not for each of its episodes"


def test_raising_the_budget_goes_on_by_itself_and_so_does_the_next_day(shop: Shop, tmp_path: Path) -> None:
    shop.report(*items(DEAR, 4))
    with ScriptedLLM(lesson) as llm:
        shop.crew(llm, Limits(calls=1), tmp_path).run()
        shop.clock.advance(900)
        shop.crew(llm, Limits(calls=2), tmp_path).run()
        assert shop.states(DEAR) == {EpisodeState.DONE: 2, EpisodeState.QUEUED: 2}
        tomorrow = (
            datetime.fromtimestamp(AT, UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp() + 86400
        )
        shop.clock.advance(tomorrow - AT - 900)
        shop.crew(llm, Limits(calls=2), tmp_path).run()
    assert shop.states(DEAR) == {EpisodeState.DONE: 4}
    assert [one.spent.calls for one in shop.budgets(Limits()).days(DEAR)] == [2, 2]


def test_what_teaches_nothing_needs_no_budget(shop: Shop, tmp_path: Path) -> None:
    shop.report(*items(DEAR, 2, UNJUDGED))
    with ScriptedLLM(lesson) as llm:
        shop.crew(llm, Limits(calls=0), tmp_path).run()
        assert llm.requests == []
    assert shop.states(DEAR) == {EpisodeState.DONE: 2}


def test_a_call_that_failed_is_counted_too(shop: Shop, tmp_path: Path) -> None:
    shop.report(*items(DEAR, 1))
    with ScriptedLLM([status(500)]) as llm:
        shop.crew(llm, Limits(), tmp_path).run()
    assert shop.states(DEAR) == {EpisodeState.QUEUED: 1}
    assert shop.today(DEAR).calls == 1


def test_workers_beside_each_other_exceed_it_by_the_calls_in_flight_at_most(shop: Shop, tmp_path: Path) -> None:
    limit, workers = 10, 2
    shop.report(*items(DEAR, 30))
    with ScriptedLLM(lesson) as llm:
        crews = [shop.crew(llm, Limits(calls=limit), tmp_path) for _ in range(workers)]
        threads = [threading.Thread(target=crew.run) for crew in crews]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(240)
        asked = len(llm.requests)
    assert limit <= asked <= limit + workers - 1
    assert shop.today(DEAR) == Spent(calls=asked, tokens=120 * asked), "nothing is lost between them"
    assert shop.states(DEAR) == {EpisodeState.DONE: asked, EpisodeState.QUEUED: 30 - asked}
