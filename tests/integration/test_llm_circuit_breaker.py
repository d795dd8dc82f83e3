"""A protected call: the breaker, the retries, the rate limit and the deadline, over real HTTP through real DSPy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dspy
import pytest

from ace.config import Settings
from ace.core.breaker import BreakerState
from ace.errors import (
    BudgetExhausted,
    CircuitOpen,
    DeadlineExceeded,
    InvalidInput,
    ModelUnreachable,
    StoreUnavailable,
    UnusableAnswer,
)
from ace.testing.breakers import InMemoryBreakers
from ace.testing.llm import Reply, ScriptedLLM, drip, garbage, hang, reset, say, status, truncated
from ace.utils.llm_adapter import CompactAdapter
from ace.utils.llm_breaker_state import SharedBreakers
from ace.utils.llm_client import language_model
from ace.utils.llm_protection import Backoff, Protection
from ace.utils.llm_rate_limit import RateLimiter, reserve

QUICK = Backoff(tries=3, first_s=0.02, cap_s=0.05)
OK = say('{"answer": "4", "cited": []}')


@dataclass
class HandClock:
    """A clock that stands still until it is moved."""

    at: float = 1_000_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at


@dataclass
class Rig:
    """A protection with its parts in reach."""

    store: InMemoryBreakers = field(default_factory=InMemoryBreakers)
    clock: HandClock = field(default_factory=HandClock)
    slept: list[float] = field(default_factory=list)
    deadline_s: float = 5.0
    per_minute: int | None = None
    patience_s: float = 1.0
    backoff: Backoff = QUICK

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.slept.append(seconds)

    def protection(self, sleep: Callable[[float], None] | None = None) -> Protection:
        return Protection(
            breakers=SharedBreakers(lambda: self.store, self.clock, patience_s=self.patience_s),
            limiter=RateLimiter(self.per_minute),
            deadline_s=self.deadline_s,
            clock=self.clock,
            backoff=self.backoff,
            chance=lambda: 1.0,
            sleep=sleep or self.sleep,
        )

    def state(self, name: str = "generator") -> BreakerState:
        return self.store.load(name).state


@pytest.fixture
def rig() -> Rig:
    return Rig()


def call(rig: Rig, llm: ScriptedLLM, protection: Protection | None = None) -> Any:
    """One protected call of a DSPy predictor."""
    lm = language_model(Settings(), base_url=llm.url)
    predictor = dspy.Predict("question -> answer")
    with dspy.context(lm=lm, adapter=CompactAdapter()):
        return (protection or rig.protection())(predictor, circuit_name="generator", question="2+2?")


def test_an_answer_comes_back_and_is_a_success(rig: Rig) -> None:
    with ScriptedLLM(["4"]) as llm:
        assert call(rig, llm).answer == "4"
    assert rig.store.load("generator").total_successes == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(status(500), id="500"),
        pytest.param(status(503), id="503"),
        pytest.param(status(429), id="429"),
        pytest.param(reset(), id="connection reset"),
        pytest.param(truncated("4"), id="body cut off"),
        pytest.param(garbage(), id="not JSON"),
    ],
)
def test_a_passing_fault_is_tried_again(rig: Rig, fault: Reply) -> None:
    with ScriptedLLM([fault, fault, "4"]) as llm:
        assert call(rig, llm).answer == "4"
        assert len(llm.requests) == 3
    assert rig.slept == [0.02, 0.04], "the waits double"
    assert rig.store.load("generator").total_failures == 0, "a call that works in the end is a success"


def test_retry_after_is_obeyed(rig: Rig) -> None:
    with ScriptedLLM([status(429, retry_after=2), "4"]) as llm:
        assert call(rig, llm).answer == "4"
    assert rig.slept == [2.02]


def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once(rig: Rig) -> None:
    with ScriptedLLM([status(429, retry_after=60)]) as llm, pytest.raises(ModelUnreachable, match="wait 60 s"):
        call(rig, llm)
    assert rig.slept == []


def test_a_server_that_stays_away_is_unreachable_after_all_tries(rig: Rig) -> None:
    with ScriptedLLM([status(503)]) as llm:
        with pytest.raises(ModelUnreachable, match="503"):
            call(rig, llm)
        assert len(llm.requests) == QUICK.tries
    with pytest.raises(ModelUnreachable, match="cannot be reached"):
        call(rig, llm)  # nobody listens any more
    assert rig.store.load("generator").failures == 2, "a call is one failure, however many tries it made"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        pytest.param(status(401, "Incorrect API key provided: sk-secret123"), "OPENAI_API_KEY", id="a refused key"),
        pytest.param(status(402), "OPENAI_API_KEY", id="no credit"),
        pytest.param(status(404, "no such model"), "ACE_MODEL", id="an unknown model"),
        pytest.param(status(400, "bad key-abc123def456"), "ACE_MODEL", id="a refused request"),
    ],
)
def test_what_the_operator_must_mend_is_said_at_once_and_without_secrets(rig: Rig, reply: Reply, message: str) -> None:
    with ScriptedLLM([reply]) as llm:
        with pytest.raises(InvalidInput, match=message) as caught:
            call(rig, llm)
        assert len(llm.requests) == 1
    assert "secret123" not in str(caught.value) + str(caught.value.__cause__)
    assert "abc123def456" not in str(caught.value)
    assert rig.store.load("generator").failures == 0, "the server is not down"


@pytest.mark.parametrize("slow", [hang(), drip("4" * 50, every_s=0.1)], ids=["hangs", "drips"])
def test_the_deadline_is_for_the_whole_call_and_the_server_sees_it_end(rig: Rig, slow: Reply) -> None:
    rig.deadline_s = 0.4
    with ScriptedLLM([slow]) as llm:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="ACE_LLM_DEADLINE_S"):
            call(rig, llm)
        assert 0.4 <= time.monotonic() - started < 1.0
        wait_for(lambda: llm.abandoned == 1)
    assert rig.store.load("generator").failures == 1


def test_a_predictor_that_never_ends_is_left_behind(rig: Rig) -> None:
    rig.deadline_s, release = 0.1, threading.Event()
    with pytest.raises(DeadlineExceeded):
        rig.protection()(lambda: release.wait(30), circuit_name="generator")
    release.set()


def test_waits_between_tries_count_against_the_deadline(rig: Rig) -> None:
    rig.deadline_s, rig.backoff = 0.5, Backoff(tries=100, first_s=0.2, cap_s=0.2)
    with ScriptedLLM([status(503)]) as llm:
        started = time.monotonic()
        with pytest.raises(ModelUnreachable):
            call(rig, llm, rig.protection(sleep=time.sleep))
        assert time.monotonic() - started < 0.7


def test_the_threshold_opens_the_breaker_and_then_nothing_is_sent(rig: Rig) -> None:
    protection = rig.protection()
    with ScriptedLLM([status(503)]) as llm:
        for _ in range(5):
            with pytest.raises(ModelUnreachable):
                call(rig, llm, protection)
        asked = len(llm.requests)
        with pytest.raises(CircuitOpen, match="Circuit breaker 'generator' is OPEN"):
            call(rig, llm, protection)
        assert len(llm.requests) == asked
    assert (rig.state(), rig.store.load("generator").open_count) == (BreakerState.OPEN, 1)


def failing() -> None:
    raise ConnectionError("down")


def opened(rig: Rig) -> Protection:
    """A protection whose breaker 'generator' has just opened."""
    protection = rig.protection()
    with pytest.raises(ModelUnreachable):
        protection(failing, circuit_name="generator", failure_threshold=1)
    assert rig.state() == BreakerState.OPEN
    return protection


def test_failure_threshold_and_recovery_timeout_are_what_the_caller_says(rig: Rig) -> None:
    protection = opened(rig)
    rig.clock.at += 9
    with pytest.raises(CircuitOpen):
        protection(lambda: 1, circuit_name="generator", recovery_timeout=10)
    rig.clock.at += 1
    assert protection(lambda: 1, circuit_name="generator", recovery_timeout=10) == 1
    assert rig.state() == BreakerState.CLOSED


def test_one_breaker_does_not_hold_up_another(rig: Rig) -> None:
    assert opened(rig)(lambda: 1, circuit_name="reflector") == 1


def test_after_the_timeout_one_probe_goes_out_for_all(rig: Rig) -> None:
    protections = [opened(rig), *(rig.protection() for _ in range(7))]  # eight processes, one table
    rig.clock.at += 60
    sent, go = [], threading.Event()

    def probe() -> str:
        sent.append(1)
        go.wait(5)
        return "back"

    def attempt(protection: Protection) -> str:
        try:
            return str(protection(probe, circuit_name="generator"))
        except CircuitOpen:
            return "open"

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(attempt, protection) for protection in protections]
        wait_for(lambda: sum(answer.done() for answer in answers) == 7)
        go.set()
        assert sorted(answer.result() for answer in answers) == ["back"] + ["open"] * 7
    assert len(sent) == 1
    assert rig.state() == BreakerState.CLOSED


def test_a_probe_that_fails_opens_it_again(rig: Rig) -> None:
    protection = opened(rig)
    rig.clock.at += 60
    with pytest.raises(ModelUnreachable):
        protection(failing, circuit_name="generator")
    assert (rig.state(), rig.store.load("generator").open_count) == (BreakerState.OPEN, 2)


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        pytest.param(UnusableAnswer("nonsense"), 0, id="the model's fault: the server answered"),
        pytest.param(BudgetExhausted("no money"), 0, id="the user's limit"),
        pytest.param(DeadlineExceeded("late"), 1, id="an outage"),
        pytest.param(ZeroDivisionError("bug"), 1, id="anything else"),
    ],
)
def test_what_counts_as_a_failure(rig: Rig, error: Exception, failures: int) -> None:
    def predictor() -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        rig.protection()(predictor, circuit_name="generator")
    assert rig.store.load("generator").failures == failures
    assert rig.slept == [], "none of these is tried again"


def test_answers_that_cannot_be_read_never_open_the_breaker(rig: Rig) -> None:
    protection = rig.protection()
    with ScriptedLLM([OK]) as llm:
        lm = language_model(Settings(), base_url=llm.url)
        with dspy.context(lm=lm, adapter=CompactAdapter()):
            for _ in range(8):
                with pytest.raises(UnusableAnswer, match="'a' could be read"):
                    protection(dspy.Predict("question -> a, b"), circuit_name="generator", question="?")
    assert rig.state() == BreakerState.CLOSED
    assert rig.store.load("generator").total_successes == 8


def test_dspys_own_parse_error_is_the_models_fault_too(rig: Rig) -> None:
    with ScriptedLLM(["nonsense"]) as llm:
        lm = language_model(Settings(), base_url=llm.url)
        with dspy.context(lm=lm, adapter=dspy.JSONAdapter()), pytest.raises(UnusableAnswer, match="nonsense"):
            rig.protection()(dspy.Predict("question -> a, b"), circuit_name="generator", question="?")


def test_a_database_that_is_away_does_not_stop_calls(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.store.outage = StoreUnavailable("the disk is full")
    protection = rig.protection()
    assert protection(lambda: 1, circuit_name="generator") == 1
    with pytest.raises(ModelUnreachable):
        protection(failing, circuit_name="generator")
    assert "circuit_breaker_unprotected" in caplog.messages


def test_a_database_that_hangs_delays_one_call_and_not_the_next(rig: Rig) -> None:
    rig.patience_s = 0.2
    release = threading.Event()
    rig.store.before_each = lambda: release.wait(10) and None
    protection = rig.protection()
    first, second = clocked(protection), clocked(protection)
    release.set()
    assert 0.2 <= first < 0.6
    assert second < 0.1, "it is left alone for a while"


def test_protection_is_back_once_the_database_is(rig: Rig) -> None:
    rig.store.outage = StoreUnavailable("away")
    protection = rig.protection()
    protection(lambda: 1, circuit_name="generator")
    rig.store.outage = None
    rig.clock.at += 5
    protection(lambda: 1, circuit_name="generator")
    assert rig.store.load("generator").total_successes == 1


def test_calls_wait_for_their_place_in_the_rate_limit(rig: Rig) -> None:
    rig.per_minute = 60
    protection = rig.protection()
    for _ in range(4):
        protection(lambda: 1, circuit_name="generator")
    assert rig.slept == [1.0, 2.0], "a second's worth is saved up, then one a second"


def test_a_place_after_the_deadline_is_no_outage_of_the_model(rig: Rig) -> None:
    rig.per_minute = 1
    protection = rig.protection()
    protection(lambda: 1, circuit_name="generator")
    for _ in range(3):
        with pytest.raises(DeadlineExceeded, match="ACE_LLM_CALLS_PER_MINUTE leaves no place for 59 s"):
            protection(lambda: 1, circuit_name="generator")
    assert rig.store.load("generator").total_failures == 0


def test_the_rate_limit_never_lets_more_through_than_its_rate() -> None:
    ready_at, starts = float("-inf"), []
    for arrival in [i * 0.01 for i in range(500)]:
        wait, ready_at = reserve(ready_at, arrival, 120)
        starts.append(arrival + wait)
    assert all(later - earlier >= 60 for earlier, later in zip(starts, starts[123:], strict=False))


def clocked(protection: Protection) -> float:
    started = time.monotonic()
    assert protection(lambda: 1, circuit_name="generator") == 1
    return time.monotonic() - started


def wait_for(true: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.01)
