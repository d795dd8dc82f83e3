"""The model of the settings: what it sends, what it counts, where it stops, and what it never asks twice."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from dspy.utils.exceptions import LMNotConfiguredError, LMTransportError

from ace.config import Settings
from ace.errors import BudgetExhausted, DeadlineExceeded, InvalidInput, StoreUnavailable
from ace.models.run import Limits
from ace.models.task import Usage
from ace.testing.llm import ScriptedLLM, hang, reset, say
from ace.utils.call_ledger import CallLedger, call_key
from ace.utils.llm_client import language_model
from ace.utils.llm_deadline import deadline, run_within, seconds_left
from ace.utils.llm_errors import fault_of
from ace.utils.llm_meter import Meter
from ace.utils.run_folder import RunFolder

COUNTED = {
    "prompt_tokens": 10,
    "completion_tokens": 2,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 7},
}


def test_a_request_carries_the_settings_and_nothing_else() -> None:
    settings = Settings(temperature=0.5, seed=7, max_tokens=99)
    with ScriptedLLM(["hi"]) as llm:
        assert language_model(settings, base_url=llm.url)("hello") == ["hi"]
        (request,) = llm.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "local",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "seed": 7,
        "max_completion_tokens": 99,
    }


def test_the_local_model_without_an_address_is_a_clear_error() -> None:
    with pytest.raises(InvalidInput, match="ACE_MODEL_BASE_URL"):
        language_model(Settings(model="local"))


@pytest.mark.parametrize("name", ["openai/", ""])
def test_a_name_that_is_no_model_is_a_clear_error(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"ACE_MODEL: .*Write it as <provider>/<name>"):
        language_model(Settings(model=name))


@pytest.mark.parametrize(
    ("name", "variable"), [("openai/gpt-4o", "OPENAI_API_KEY"), ("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY")]
)
def test_a_key_that_is_not_set_is_named(name: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(LMNotConfiguredError) as caught:
        language_model(Settings(model=name))("hello")
    fault = fault_of(caught.value)
    assert fault is not None and str(fault.error).startswith(f"{variable}: is not set")


def test_money_is_counted_where_the_price_is_known() -> None:
    meter = Meter()
    with ScriptedLLM([say("hi", usage={"prompt_tokens": 1000, "completion_tokens": 100})]) as llm:
        language_model(Settings(model="openai/gpt-4o-mini", model_base_url=llm.url), meter=meter)("hello")
        assert llm.requests[0].body["model"] == "gpt-4o-mini"
    assert meter.spent.cost_usd == pytest.approx(1000 * 0.15e-6 + 100 * 0.6e-6)


def test_a_reasoning_model_gets_no_temperature_and_room_to_think() -> None:
    lm = language_model(Settings(model="openai/gpt-5-mini", temperature=0.0, max_tokens=100))
    assert (lm.kwargs["temperature"], lm.kwargs["max_completion_tokens"]) == (None, 16_000)
    chat = language_model(Settings(model="openai/gpt-5-chat", temperature=0.0, max_tokens=100))
    assert (chat.kwargs["temperature"], chat.kwargs["max_tokens"]) == (0.0, 100)


def test_what_the_server_counted_is_counted_in_every_open_scope() -> None:
    meter = Meter()
    with ScriptedLLM([say("hi", usage=COUNTED)]) as llm:
        lm = language_model(Settings(), base_url=llm.url, meter=meter)
        with meter.scope("episode") as outer:
            with meter.scope("generator") as inner:
                lm("a")
            lm("b")
    once = Usage(calls=1, prompt_tokens=10, cached_tokens=7, completion_tokens=2)
    assert inner.usage == once
    assert outer.usage == meter.spent == once + once
    assert outer.seconds > inner.seconds > 0


def test_a_server_that_counts_nothing_is_estimated_so_that_a_limit_holds() -> None:
    meter = Meter(Limits(tokens=20))
    with ScriptedLLM([say("four" * 4, usage={})]) as llm:
        lm = language_model(Settings(), base_url=llm.url, meter=meter)
        lm("x" * 400)
        assert meter.spent.prompt_tokens == 100
        assert meter.spent.completion_tokens >= 4
        with pytest.raises(BudgetExhausted, match="20 tokens"):
            lm("again")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(calls=2), r"2 calls \(2 used\)"),
        (Limits(tokens=24), r"24 tokens \(24 used\)"),
        (Limits(cost_usd=0.0), r"0 US dollars"),
    ],
)
def test_a_limit_stops_the_next_call_before_it_is_sent(limits: Limits, message: str) -> None:
    with ScriptedLLM([say("hi", usage=COUNTED)]) as llm:
        lm = language_model(Settings(), base_url=llm.url, meter=Meter(limits))
        with pytest.raises(BudgetExhausted, match=message):
            for prompt in ("a", "b", "c"):
                lm(prompt)
        assert len(llm.requests) == (0 if limits.cost_usd == 0 else 2)


def test_a_limit_on_calls_holds_among_many_threads() -> None:
    def attempt(number: int) -> bool:
        try:
            lm(f"question {number}")
        except BudgetExhausted:
            return False
        return True

    with ScriptedLLM(["hi"]) as llm, ThreadPoolExecutor(8) as pool:
        lm = language_model(Settings(), base_url=llm.url, meter=Meter(Limits(calls=5)))
        assert sum(pool.map(attempt, range(16))) == 5
        assert len(llm.requests) == 5


def test_what_an_earlier_process_spent_counts_against_the_limit() -> None:
    meter = Meter(Limits(calls=3), spent=Usage(calls=3))
    with pytest.raises(BudgetExhausted, match="3 used"):
        meter.begin()


def test_counting_is_right_among_many_threads() -> None:
    meter = Meter()
    with ScriptedLLM([say("hi", usage=COUNTED)]) as llm, ThreadPoolExecutor(8) as pool:
        lm = language_model(Settings(), base_url=llm.url, meter=meter)

        def work(number: int) -> Usage:
            with meter.scope(str(number)) as tally:
                lm(f"question {number}")
            return tally.usage

        usages = list(pool.map(work, range(24)))
    assert set(usages) == {Usage(calls=1, prompt_tokens=10, cached_tokens=7, completion_tokens=2)}
    assert meter.spent == sum(usages, Usage())


def test_a_finished_call_is_not_made_again_after_a_restart(tmp_path: Path) -> None:
    with ScriptedLLM([say("first", usage=COUNTED), say("second", usage=COUNTED)]) as llm:
        for _ in range(2):  # two processes, one after the other
            with RunFolder.open(tmp_path / "run", {}) as folder:
                ledger = CallLedger(folder)
                meter = Meter(spent=ledger.spent)
                lm = language_model(Settings(), base_url=llm.url, meter=meter, ledger=ledger)
                with meter.scope("run/1/task") as tally:
                    assert lm("hello") == ["first"]
                assert tally.usage.calls == 1, "a replayed call is part of its episode"
                assert meter.spent == tally.usage, "and paid once"
        assert len(llm.requests) == 1


def test_the_same_words_elsewhere_are_another_call(tmp_path: Path) -> None:
    with ScriptedLLM([str(i) for i in range(9)]) as llm, RunFolder.open(tmp_path / "run", {}) as folder:
        meter, ledger = Meter(), CallLedger(folder)
        lm = language_model(Settings(), base_url=llm.url, meter=meter, ledger=ledger)
        answers = []
        for scope, prompt, options in (
            ("a", "x", {}),
            ("b", "x", {}),
            ("a", "y", {}),
            ("a", "x", {"temperature": 1.0}),
            ("a", "x", {}),
        ):
            with meter.scope(scope):
                answers += lm(prompt, **options)
    assert answers == ["0", "1", "2", "3", "0"]


def test_the_key_of_a_call_knows_no_address_and_no_secret() -> None:
    bare = call_key("s", "m", "hello", {"temperature": 0.0})
    assert bare == call_key("s", "m", "hello", {"temperature": 0.0, "api_key": "k", "api_base": "http://x:1/v1"})
    assert bare != call_key("s", "m", "hello", {"temperature": 0.1})


def test_a_torn_last_line_of_the_ledger_costs_one_call_at_most(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path / "run", {}) as folder:
        ledger = CallLedger(folder)
        ledger.put("one", ["1"], Usage(calls=1))
        ledger.put("two", ["2"], Usage(calls=1))
    file = tmp_path / "run" / "calls.jsonl"
    file.write_bytes(file.read_bytes()[:-7])
    with RunFolder.open(tmp_path / "run", {}) as folder:
        ledger = CallLedger(folder)
        assert ledger.get("one") == (["1"], Usage(calls=1))
        assert ledger.get("two") is None
        ledger.put("two", ["2"], Usage(calls=1))
    with RunFolder.open(tmp_path / "run", {}) as folder:
        assert CallLedger(folder).spent == Usage(calls=2)


class FullDisk:
    """A run log on a disk that is full."""

    def append(self, kind: str, record: Any) -> None:
        raise StoreUnavailable("the disk is full")

    def read(self, kind: str, record_type: type[Any]) -> list[Any]:
        return []


def test_an_answer_that_cannot_be_kept_is_not_used() -> None:
    with ScriptedLLM(["hi"]) as llm, pytest.raises(StoreUnavailable, match="full"):
        language_model(Settings(), base_url=llm.url, ledger=CallLedger(FullDisk()))("hello")


def test_a_call_outlives_neither_its_deadline_nor_its_caller() -> None:
    with ScriptedLLM([hang()]) as llm:
        lm = language_model(Settings(), base_url=llm.url)
        started = time.monotonic()
        with deadline(0.2), pytest.raises(DeadlineExceeded):
            lm("hello")
        assert time.monotonic() - started < 0.5
        while not llm.abandoned:
            time.sleep(0.01)
            assert time.monotonic() - started < 5, "the server never saw the connection close"


def test_a_broken_connection_is_left_to_the_caller_to_try_again() -> None:
    with ScriptedLLM([reset(), "hi"]) as llm:
        lm = language_model(Settings(), base_url=llm.url)
        with pytest.raises(LMTransportError):
            lm("hello")
        assert lm("hello") == ["hi"]


def test_an_inner_deadline_never_extends_an_outer_one() -> None:
    assert seconds_left() is None
    with deadline(1), deadline(100):
        assert (seconds_left() or 9) <= 1
        assert run_within(1, lambda: (seconds_left() or 9) <= 1, name="work")
    assert seconds_left() is None


def test_what_the_work_raises_comes_out_as_it_is() -> None:
    def work() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        run_within(5, work, name="work")


def test_nothing_left_behind_keeps_the_process_alive() -> None:
    code = (
        "import time\nfrom ace.errors import DeadlineExceeded\nfrom ace.utils.llm_deadline import run_within\n"
        "try:\n    run_within(0.1, lambda: time.sleep(60), name='work')\nexcept DeadlineExceeded:\n    print('left')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "left\n"


def test_importing_the_breaker_loads_no_model_library() -> None:
    code = "import sys, ace.utils.llm_circuit_breaker as m; print([n for n in ('dspy', 'litellm') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_history_is_not_kept_so_memory_does_not_grow() -> None:
    with ScriptedLLM(["hi"]) as llm:
        lm = language_model(Settings(), base_url=llm.url)
        for number in range(3):
            lm(str(number))
    assert lm.history == []
