"""The breakers of a fleet: real processes, a real database, one state."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ace.core.breaker import BreakerState
from ace.errors import CircuitOpen, ModelUnreachable
from ace.repositories.breaker_repository import BreakerRepository
from ace.repositories.database import Database
from ace.testing.llm import ScriptedLLM, say, status
from ace.utils.clock import SystemClock
from ace.utils.llm_breaker_state import SharedBreakers
from ace.utils.llm_protection import Backoff, Protection
from ace.utils.llm_rate_limit import RateLimiter

NO_WAIT = Backoff(tries=1)


def shell(data: Path, code: str, *arguments: str) -> str:
    """What `python -c code` prints, as an operator types it beside the running service."""
    environment = {**os.environ, "ACE_DATA_DIR": str(data)}
    environment.pop("ACE_DATABASE_URL", None)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


METRICS = "import json; from ace.utils.llm_circuit_breaker import *; print(json.dumps(get_llm_breaker_metrics()))"
BREAK = """
from ace.errors import ModelUnreachable
from ace.utils.llm_circuit_breaker import protected_predict
def down(): raise ZeroDivisionError("not even retried")
for _ in range(5):
    try: protected_predict(down, circuit_name="generator")
    except ZeroDivisionError: pass
try: protected_predict(down, circuit_name="generator")
except Exception as error: print(type(error).__name__, error)
"""
RESET = "from ace.utils.llm_circuit_breaker import {0}; {0}{1}"


def test_what_an_operator_types_works_from_a_bare_shell(tmp_path: Path) -> None:
    fresh = json.loads(shell(tmp_path, METRICS))
    assert fresh == [
        {"name": name, "state": "closed", "total_failures": 0, "total_successes": 0, "open_count": 0}
        for name in ("generator", "reflector")
    ]
    assert shell(tmp_path, BREAK).startswith("CircuitOpen Circuit breaker 'generator' is OPEN")
    generator, reflector = json.loads(shell(tmp_path, METRICS))
    assert generator == {
        "name": "generator",
        "state": "open",
        "total_failures": 5,
        "total_successes": 0,
        "open_count": 1,
    }
    assert reflector["state"] == "closed"


@pytest.mark.parametrize(
    ("name", "arguments"), [("reset_llm_breakers", "()"), ("get_or_create_llm_breaker", "('generator').reset()")]
)
def test_a_reset_in_one_process_is_seen_by_the_others(tmp_path: Path, name: str, arguments: str) -> None:
    protection, store = here(tmp_path)
    with pytest.raises(ModelUnreachable):
        protection(down, circuit_name="generator", failure_threshold=1)
    with pytest.raises(CircuitOpen):
        protection(lambda: 1, circuit_name="generator")
    shell(tmp_path, RESET.format(name, arguments))
    assert protection(lambda: 1, circuit_name="generator") == 1
    assert store.load("generator").open_count == 1, "totals stay"


PROBE = """
import sys
import dspy
from ace.config import Settings
from ace.errors import CircuitOpen
from ace.utils.llm_adapter import CompactAdapter
from ace.utils.llm_circuit_breaker import protected_predict
from ace.utils.llm_client import language_model
lm = language_model(Settings(), base_url=sys.argv[1])
predictor = dspy.Predict("question -> answer")
print("ready", flush=True)
input()
with dspy.context(lm=lm, adapter=CompactAdapter()):
    try: print(protected_predict(predictor, circuit_name="generator", recovery_timeout=1, question="?").answer)
    except CircuitOpen: print("open")
"""


def test_one_probe_goes_out_of_all_processes(tmp_path: Path) -> None:
    protection, store = here(tmp_path)
    with pytest.raises(ModelUnreachable):
        protection(down, circuit_name="generator", failure_threshold=1)
    environment = {**os.environ, "ACE_DATA_DIR": str(tmp_path)}
    environment.pop("ACE_DATABASE_URL", None)
    with ScriptedLLM([say("back", delay_s=2)]) as llm:
        command, pipe = [sys.executable, "-c", PROBE, llm.url], subprocess.PIPE
        fleet = [subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
        for process in fleet:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in fleet:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = sorted(process.communicate(timeout=60)[0].strip() for process in fleet)
        assert said == ["back", "open", "open", "open"]
        assert len(llm.requests) == 1
    assert store.load("generator").state == BreakerState.CLOSED


def test_failures_of_many_processes_add_up(tmp_path: Path) -> None:
    protections = [here(tmp_path)[0] for _ in range(3)]
    for protection in protections:
        with pytest.raises(ModelUnreachable):
            protection(down, circuit_name="generator", failure_threshold=3)
    with pytest.raises(CircuitOpen):
        protections[0](down, circuit_name="generator", failure_threshold=3)


def test_a_locked_database_holds_no_call_up_for_long(tmp_path: Path) -> None:
    protection, _ = here(tmp_path)
    protection(lambda: 1, circuit_name="generator")
    other = sqlite3.connect(tmp_path / "ace.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    assert protection(lambda: 1, circuit_name="generator") == 1
    first = time.monotonic() - started
    assert protection(lambda: 1, circuit_name="generator") == 1
    second = time.monotonic() - started - first
    other.execute("ROLLBACK")
    other.close()
    assert first < 3
    assert second < 0.5


def test_a_call_through_the_database_is_counted(tmp_path: Path) -> None:
    with ScriptedLLM([status(503), "4"]) as llm:
        assert shell(tmp_path, PROBE.replace("input()", ""), llm.url) == "ready\n4\n"
        assert len(llm.requests) == 2
    generator, _ = json.loads(shell(tmp_path, METRICS))
    assert (generator["total_successes"], generator["total_failures"]) == (1, 0)


def here(data: Path) -> tuple[Protection, BreakerRepository]:
    """A protection in this process on the same database."""
    store = BreakerRepository(Database(f"sqlite:///{data / 'ace.db'}"))
    clock = SystemClock()
    return (
        Protection(
            breakers=SharedBreakers(lambda: store, clock),
            limiter=RateLimiter(None),
            deadline_s=5,
            clock=clock,
            backoff=NO_WAIT,
        ),
        store,
    )


def down() -> None:
    raise ConnectionError("down")
