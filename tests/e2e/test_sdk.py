"""The Python door: one contract, in this process and against a real server, for programs and for coroutines."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ace import AsyncPlaybook, Playbook
from ace.bootstrap import App
from ace.config import get_settings
from ace.errors import (
    AceError,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    InvalidInput,
    NotFound,
    Outage,
    TooManyRequests,
    Unauthenticated,
)
from ace.models.insight import Insight
from ace.models.playbook import Section
from ace.models.task import Step
from ace.sdk.learner import Learner
from ace.sdk.remote import told
from ace.testing.llm import Reply, ScriptedLLM, hang, reset, status
from ace.utils.embeddings import get_embedder
from ace.utils.faiss_index import get_faiss_manager
from tests.e2e.servers import SHOWN_TO_ALL, Server, serving

UNITS, DATES = "Convert pounds to kilograms before adding weights.", "Write dates as year, month, day."
HEAVY = (
    "numpy",
    "faiss",
    "onnxruntime",
    "tokenizers",
    "dspy",
    "litellm",
    "openai",
    "sqlalchemy",
    "fastapi",
    "pydantic",
)


class Waiting:
    """An AsyncPlaybook as a program sees it that waits for each call."""

    def __init__(self, playbook: AsyncPlaybook, runner: asyncio.Runner) -> None:
        self.playbook, self.run = playbook, runner.run

    def __getattr__(self, name: str) -> Any:
        return lambda *words, **named: self.run(getattr(self.playbook, name)(*words, **named))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("sdk"), ACE_MODELS_DIR=str(models_dir)) as running:
        yield running


@pytest.fixture
def embedded(models_dir: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """What a process has that is started with these settings."""
    settings = {"ACE_MODELS_DIR": str(models_dir), "ACE_ENV": "shadow", **SHOWN_TO_ALL}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    kept = (get_settings, get_embedder, get_faiss_manager)
    for one in kept:
        one.cache_clear()
    yield App()
    for one in kept:
        one.cache_clear()


@pytest.fixture
def domain() -> str:
    return f"customer-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


Open = Callable[[str], Any]


@pytest.fixture(params=["embedded", "server"])
def place(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "server":
        return {"url": request.getfixturevalue("server").url}
    return {"app": request.getfixturevalue("embedded")}


@pytest.fixture(params=["waits", "async"])
def playbook(request: pytest.FixtureRequest, place: dict[str, Any], domain: str) -> Iterator[Any]:
    if request.param == "waits":
        with Playbook(domain, **place) as opened:
            yield opened
        return
    runner = request.getfixturevalue("runner")
    waiting = Waiting(AsyncPlaybook(domain, **place), runner)
    yield waiting
    waiting.close()


def test_what_was_learned_is_shown_found_and_listed(playbook: Any, domain: str) -> None:
    lessons = [UNITS, Insight(content=DATES, section=Section.FORMULA, confidence=0.9)]
    learned = playbook.learn(lessons)
    assert [one.outcome for one in learned.outcomes] == ["added", "added"]
    context = playbook.context("How many kilograms do two pounds and one pound weigh together?", k=1)
    assert ([one.content for one in context.bullets], context.domain) == ([UNITS], domain)
    assert context.text == f"[{learned.outcomes[0].bullet_id}] {UNITS}"
    assert context.receipt and context.receipt_id and context.position == 2 and not context.held_out
    assert {one.content for one in playbook.bullets()} == {UNITS, DATES}
    assert [one.section for one in playbook.bullets(contains="dates")] == [Section.FORMULA]
    found = playbook.search("which format has a date", limit=1)
    assert [(one.bullet.content, 0 < one.similarity <= 1) for one in found] == [(DATES, True)]
    assert playbook.worth().with_playbook.n == 0


def test_a_domain_nobody_has_taught_gives_no_bullets_and_still_a_receipt(playbook: Any) -> None:
    context = playbook.context("anything")
    assert (context.bullets, context.text) == ((), "") and context.receipt
    with pytest.raises(NotFound):
        playbook.worth()


def test_a_report_is_one_however_often_it_is_made(playbook: Any) -> None:
    context = playbook.context("2 + 2?")
    told = {"task": "2 + 2?", "answer": "4", "correct": True, "verifier": "test",
            "trace": [Step(thought="add", tool="calc", arguments="2+2", observation="4")]}  # fmt: skip
    first, again = (playbook.report(context.receipt, **told) for _ in range(2))
    assert (first.episode_id, first.new, again.new) == (context.receipt_id, True, False)
    assert playbook.episode(first.episode_id).state == "queued"
    with pytest.raises(Conflict):
        playbook.report(context.receipt, **{**told, "answer": "5"})


def test_a_lesson_with_the_same_key_is_learned_once(playbook: Any) -> None:
    first = playbook.learn([UNITS], once="lesson-1")
    assert playbook.learn([UNITS], once="lesson-1") == first
    assert len(playbook.bullets()) == 1
    with pytest.raises(Conflict):
        playbook.learn([DATES], once="lesson-1")


def test_the_journal_is_read_on_from_a_position_and_leads_back(playbook: Any) -> None:
    playbook.learn([UNITS])
    before = playbook.journal().head
    playbook.learn([DATES])
    page = playbook.journal(after=before, limit=1)
    assert [one["kind"] for one in page.entries] == ["add"] and page.entries[0]["seq"] == before + 1
    assert page.next is None and page.head == before + 1
    back = playbook.roll_back(before, "a bad lesson", once="back-1")
    assert playbook.roll_back(before, "a bad lesson", once="back-1") == back == page.head + 1
    assert [one.content for one in playbook.bullets(stage="shadow")] == [UNITS]


WRONG: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a blank task": ("task", lambda playbook: playbook.context("  ")),
    "a NUL in the task": ("task", lambda playbook: playbook.context("a\0b")),
    "too many bullets": ("k", lambda playbook: playbook.context("a", k=101)),
    "traffic nobody knows": ("traffic", lambda playbook: playbook.context("a", traffic="rush hour")),
    "a receipt of nobody": ("receipt", lambda playbook: playbook.report("a.b", task="a")),
    "a verdict of nobody": ("outcome.verifier", lambda playbook: playbook.report(task="a", correct=True)),
    "a verifier nobody knows": (
        "outcome.verifier",
        lambda playbook: playbook.report(task="a", correct=True, verifier="moon"),
    ),
    "a field nobody knows": ("colour", lambda playbook: playbook.report(task="a", colour="red")),
    "no task": ("task", lambda playbook: playbook.report(task="")),
    "an empty search": ("query", lambda playbook: playbook.search(" ")),
    "a stage nobody knows": ("stage", lambda playbook: playbook.bullets(stage="final")),
    "too long a page": ("limit", lambda playbook: playbook.bullets(limit=501)),
    "an empty lesson": ("insights[0].content", lambda playbook: playbook.learn([" "])),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_named(playbook: Any, case: str) -> None:
    field, call = WRONG[case]
    with pytest.raises(InvalidInput) as caught:
        call(playbook)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


def test_an_episode_nobody_reported_is_not_found(playbook: Any) -> None:
    with pytest.raises(NotFound):
        playbook.episode("none/at all")


def test_an_attempt_reports_itself_when_it_ends(place: dict[str, Any], domain: str) -> None:
    playbook = Playbook(domain, **place)
    playbook.learn([UNITS])
    with playbook.task("Add 2 pounds and 1 kilogram.", k=1) as episode:
        episode.step(tool="calc", arguments="2 lb", observation="0.907 kg")
        assert episode.answer("1.907 kg", cited=[episode.context.bullets[0].id]) == "1.907 kg"
        episode.outcome(correct=True, verifier="test")
    assert episode.reported and episode.reported.new
    assert episode.reported.episode_id == episode.context.receipt_id
    assert playbook.episode(episode.reported.episode_id).state == "queued"


def test_an_attempt_that_raises_is_reported_as_an_error_and_raises(place: dict[str, Any], domain: str) -> None:
    playbook = Playbook(domain, **place)
    with pytest.raises(ZeroDivisionError), playbook.task("Divide by nothing.") as episode:
        1 / 0  # noqa: B018
    assert episode.reported and episode.reported.new
    assert episode.report()["error"] == "ZeroDivisionError: division by zero"
    assert (episode.report()["correct"], episode.report()["verifier"]) == (False, "error")


def test_an_attempt_may_begin_here_and_end_there(place: dict[str, Any], domain: str) -> None:
    episode = Playbook(domain, **place).task("Add 2 pounds and 1 kilogram.").begin()
    episode.answer("1.907 kg")
    episode.outcome(correct=True, verifier="human")
    first = episode.end()
    assert first.new and not episode.end().new and episode.cited == ()


def test_a_learner_learns_from_what_was_reported_and_takes_back_its_own_alone(embedded: App, domain: str) -> None:
    playbook = Playbook(domain, app=embedded)
    told = {"task": "Which sum?", "answer": "3", "correct": False, "verifier": "exact_match", "expected": "4"}
    with Learner(playbook) as learner:
        assert not learner.known("run:1")
        playbook.report(**told, episode_id="run:1")
        assert learner.learn("run:1").result == {"added": 1, "merged": 0, "held": 0, "votes": 0, "position": 2}
        assert learner.known("run:1") and not learner.go_back("another run", 0, "not its own")
        assert learner.go_back("run", 0, "its own") and not learner.go_back("run", 3, "nothing since")
    assert playbook.bullets() == []


def test_a_learner_at_a_server_waits_for_its_reflector_and_not_for_ever(server: Server, domain: str) -> None:
    with Playbook(domain, url=server.url) as playbook:
        with pytest.raises(InvalidInput, match="ace-reflector"):
            Learner(playbook, lm="any")
        reported = playbook.report(task="Which sum?", correct=True, verifier="test")
        with Learner(playbook, patience_s=0) as learner, pytest.raises(Outage, match="ace-reflector"):
            learner.learn(reported.episode_id)


def test_a_playbook_is_copied_as_itself_and_pickled_without_its_key() -> None:
    with Playbook("a", url="http://127.0.0.1:9", key="ace_secret") as playbook:
        assert copy.deepcopy([playbook])[0] is playbook
        again = pickle.dumps(playbook)
        assert b"secret" not in again
        with pickle.loads(again) as opened, pytest.raises(Outage, match=r"127\.0\.0\.1:9"):
            opened.context("a task")


def test_a_function_put_around_is_an_agent_with_a_playbook(place: dict[str, Any], domain: str) -> None:
    playbook = Playbook(domain, **place)
    playbook.learn([UNITS])
    seen = []

    @playbook.around(check=lambda task, answer: answer == 3, verifier="test", k=1)
    def agent(task: str, plus: int, *, episode: Any) -> int:
        seen.append(episode)
        return len(episode.context.bullets) + plus

    assert agent("Add weights in pounds.", 2) == 3
    assert seen[0].reported.new and seen[0].report()["correct"] is True and seen[0].report()["answer"] == "3"


def test_a_coroutine_put_around_is_one_too(place: dict[str, Any], domain: str, runner: asyncio.Runner) -> None:
    async def work() -> Any:
        async with AsyncPlaybook(domain, **place) as playbook:
            seen = []

            @playbook.around
            async def agent(task: str, *, episode: Any) -> str:
                seen.append(episode)
                return task.upper()

            answers = await asyncio.gather(*(agent(f"task {number}") for number in range(5)))
            return answers, [one.reported.new for one in seen]

    assert runner.run(work()) == ([f"TASK {number}" for number in range(5)], [True] * 5)


def test_a_function_that_takes_no_episode_is_refused_at_once() -> None:
    with Playbook("a", url="http://localhost:1") as playbook:
        with pytest.raises(InvalidInput, match="takes no `episode`"):
            playbook.around(lambda task: task)

        async def other(task: str, *, episode: Any) -> None: ...

        with pytest.raises(InvalidInput, match="AsyncPlaybook"):
            playbook.around(other)


def test_while_the_server_is_away_an_attempt_goes_on_without_bullets() -> None:
    playbook = Playbook("a", url="http://127.0.0.1:9", attempts=1)
    with pytest.raises(Outage, match="ace serve"):
        playbook.context("a task")
    with playbook.task("a task") as episode:
        assert episode.context.text == "" and isinstance(episode.outage, Outage)
        episode.answer("done all the same")
    assert episode.reported is None


def test_a_call_is_sent_again_after_an_outage_and_means_the_same() -> None:
    taken = {"domain": "a", "episode_id": "e", "state": "queued", "new": True}
    with ScriptedLLM([status(503), reset(), Reply(raw=json.dumps(taken).encode())]) as fake:
        with Playbook("a", url=fake.url.removesuffix("/v1"), key="ace_k") as playbook:
            assert playbook.report(task="t").new
        bodies = [request.body for request in fake.requests]
        assert len(bodies) == 3 and bodies[0] == bodies[1] == bodies[2]
        assert fake.requests[0].headers["authorization"] == "Bearer ace_k"
        assert fake.requests[0].path == "/v1/domains/a/episodes"


def limited(seconds: int) -> Reply:
    problem = {"title": "Too many requests", "detail": f"Too many requests; try again in {seconds} s."}
    headers = {"Retry-After": str(seconds), "Content-Type": "application/problem+json"}
    return Reply(code=429, headers=headers, raw=json.dumps(problem).encode())


@pytest.mark.parametrize(("seconds", "calls"), [(1, 2), (30, 1)])
def test_a_limit_is_waited_for_if_there_is_time(seconds: int, calls: int, runner: asyncio.Runner) -> None:
    with ScriptedLLM([limited(seconds), limited(30)]) as fake:
        waiting = Waiting(AsyncPlaybook("a", url=fake.url.removesuffix("/v1")), runner)
        with pytest.raises(TooManyRequests, match="try again in 30 s"):
            waiting.context("a task")
        waiting.close()
        assert len(fake.requests) == calls


@pytest.mark.parametrize("colour", ["waits", "async"])
def test_a_silent_server_is_left_in_time(colour: str, runner: asyncio.Runner) -> None:
    with ScriptedLLM([hang()]) as fake:
        place = {"url": fake.url.removesuffix("/v1"), "timeout": 0.3}
        waiting = Playbook("a", **place) if colour == "waits" else Waiting(AsyncPlaybook("a", **place), runner)
        with pytest.raises(DeadlineExceeded):
            waiting.context("a task")
        waiting.close()


PROBLEMS: dict[str, tuple[int, dict[str, str], type[AceError]]] = {
    "no key": (401, {"title": "No valid API key"}, Unauthenticated),
    "a small role": (403, {"title": "Not allowed"}, Forbidden),
    "a limit": (429, {"title": "Too many requests", "detail": "Too many requests; try again in 7 s."}, TooManyRequests),
    "an outage": (503, {"title": "Temporarily unavailable"}, Outage),
    "a deadline": (504, {"title": "Deadline exceeded"}, DeadlineExceeded),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_a_problem_becomes_the_error_it_was(case: str) -> None:
    code, problem, kind = PROBLEMS[case]
    assert type(told(code, problem, "7")) is kind


def test_a_problem_of_a_field_keeps_its_sentence() -> None:
    detail = {"detail": "task: is empty. Give it some words.", "field": "task", "remedy": "Give it some words"}
    assert str(told(422, detail, "")) == "task: is empty. Give it some words."


def test_a_server_with_keys_asks_for_one(tmp_path: Path, models_dir: Path) -> None:
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir)) as server:
        key = json.loads(server.ace("keys", "create", "--role", "read", "--domain", "a", "--json"))["token"]
        with pytest.raises(Unauthenticated):
            Playbook("a", url=server.url).context("t")
        mine = Playbook("a", url=server.url, key=key)
        assert mine.context("t").receipt
        with pytest.raises(Forbidden):
            mine.learn([UNITS])
        with pytest.raises(NotFound):
            Playbook("b", url=server.url, key=key).context("t")
        writes = json.loads(server.ace("keys", "create", "--role", "write", "--domain", "a", "--json"))["token"]
        with Playbook("a", url=server.url, key=writes) as playbook, Learner(playbook) as learner:
            playbook.learn([UNITS], episode_id="run:1")
            assert not learner.go_back("run", 0, "a key that writes may not roll back")
            assert len(playbook.bullets()) == 1


@pytest.mark.parametrize("name", ["Playbook", "AsyncPlaybook"])
def test_a_client_alone_loads_nothing_that_computes(name: str) -> None:
    program = f"""
import sys
from ace import {name}
{name}("customer-a", url="http://127.0.0.1:9")
print(*(one for one in {HEAVY!r} if one in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_name_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(ImportError):
        from ace import Playbok  # type: ignore[attr-defined]  # noqa: F401
