"""The operator's scripts, run beside a process that serves: what they do is seen by it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ace.core.breaker import BreakerState
from ace.ops.processes import role_of
from ace.repositories import schema
from ace.repositories.breaker_repository import BreakerRepository
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.utils import faiss_files
from ace.utils.faiss_index import SWEEP_EVERY_S, FaissManager
from tests.playbooks import DOMAIN, add, vector

ROOT = Path(__file__).parents[2]
SCRIPTS = ("cleanup_faiss", "reset_circuit_breaker", "memory_profiler")
Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def script(sqlite_url: str, data_dir: Path, models_dir: Path) -> Script:
    """Runs `python scripts/<name>.py` as from the repository's root."""
    environment = {**os.environ, "ACE_DATABASE_URL": sqlite_url, "ACE_DATA_DIR": str(data_dir),
                   "ACE_MODELS_DIR": str(models_dir), "NO_COLOR": "1", "COLUMNS": "200"}  # fmt: skip

    def run(name: str, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, f"scripts/{name}.py", *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def store(sqlite_url: str) -> PlaybookRepository:
    return PlaybookRepository(Database(sqlite_url))


@pytest.fixture
def server(store: PlaybookRepository, data_dir: Path) -> FaissManager:
    """The index as the running server holds it, in this process."""
    return FaissManager(store, data_dir / "indices")


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_shows_an_example(script: Script, name: str) -> None:
    assert f"Example: python scripts/{name}.py" in script(name, "--help").stdout


def test_a_clean_up_compacts_unloads_and_leaves_the_server_right(
    script: Script, store: PlaybookRepository, server: FaissManager, data_dir: Path
) -> None:
    (one, *_) = add(store, *(f"advice {number}" for number in range(50)))
    server.save(DOMAIN)
    add(store, "learned since")
    facts = json.loads(script("cleanup_faiss", "--domain", DOMAIN, "--json").stdout)
    (cleaned,) = facts["domains"]
    assert (cleaned["domain"], cleaned["vectors"], cleaned["dropped"]) == (DOMAIN, 51, 0)
    assert cleaned["bytes_after"] > 0
    assert DOMAIN in server.loaded()
    time.sleep(SWEEP_EVERY_S)
    assert server.search(DOMAIN, vector("advice 0"))[0][0] == one
    assert server.loaded() == {}, "the server has let go of its view"
    assert server.search(DOMAIN, vector("learned since"), k=1)[0][1] == pytest.approx(1, abs=1e-2)
    assert server.get_index_size(DOMAIN) == 51


def test_what_the_database_no_longer_has_is_dropped(
    script: Script, store: PlaybookRepository, sqlite_url: str, data_dir: Path, server: FaissManager
) -> None:
    add(store, *(f"advice {number}" for number in range(50)))
    add(store, "another's", domain="customer-b")
    server.save(DOMAIN)
    server.save("customer-b")
    server.close()
    Database(sqlite_url).close()
    forget(sqlite_url, "customer-b", keep=0)
    forget(sqlite_url, DOMAIN, keep=10)
    said = script("cleanup_faiss", "--all").stdout
    assert f"{DOMAIN}: " in said
    assert "10 vectors, 40 dropped" in said
    assert "customer-b" not in said
    assert "removed: 3 files" in said
    assert faiss_files.files_of(data_dir / "indices", "customer-b") == []


def forget(url: str, domain: str, keep: int) -> None:
    """Take bullets out of the database from outside, as a restored backup would."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        words = ("DELETE FROM playbook_bullets WHERE domain_id = ? AND id NOT IN"
                 " (SELECT id FROM playbook_bullets WHERE domain_id = ? LIMIT ?)")  # fmt: skip
        connection.execute(words, (domain, domain, keep))
        if not keep:
            connection.execute("UPDATE domains SET seq = 0 WHERE domain_id = ?", (domain,))
    connection.close()


def test_a_domain_nobody_knows_is_an_error_that_lists_the_known(script: Script, store: PlaybookRepository) -> None:
    add(store, "advice")
    assert f"Known: {DOMAIN}" in script("cleanup_faiss", "--domain", "nobody", code=2).stderr
    assert "--all" in script("cleanup_faiss", code=2).stderr


def test_files_of_a_domain_that_is_gone_are_removed_by_name(
    script: Script, store: PlaybookRepository, server: FaissManager, sqlite_url: str, data_dir: Path
) -> None:
    add(store, "advice")
    server.save(DOMAIN)
    forget(sqlite_url, DOMAIN, keep=0)
    assert "removed: 3 files" in script("cleanup_faiss", "--domain", DOMAIN).stdout
    assert faiss_files.files_of(data_dir / "indices", DOMAIN) == []


def test_a_reset_closes_breakers_for_every_process(script: Script, sqlite_url: str) -> None:
    breakers = BreakerRepository(schema.require_head(Database(sqlite_url)))
    for name in ("generator", "reflector"):
        breakers.update(name, lambda row: replace(row, state=BreakerState.OPEN, total_failures=5, open_count=1))
    assert script("reset_circuit_breaker", "--name", "generator").stdout == "generator: open -> closed\n"
    found = breakers.load("generator")
    assert (found.state, found.total_failures, found.open_count) == (BreakerState.CLOSED, 5, 1)
    assert breakers.load("reflector").state == BreakerState.OPEN
    facts = json.loads(script("reset_circuit_breaker", "--all", "--json").stdout)
    assert facts[1] == {"name": "reflector", "before": "open", "after": "closed"}


def test_an_unknown_breaker_is_an_error_that_lists_the_known(script: Script) -> None:
    assert "Known: generator, reflector" in script("reset_circuit_breaker", "--name", "genrator", code=2).stderr


def test_the_profiler_says_who_holds_what(script: Script, store: PlaybookRepository) -> None:
    add(store, *(f"advice {number}" for number in range(100)))
    facts = json.loads(script("memory_profiler", "--pid", str(os.getpid()), "--seconds", "0", "--json").stdout)
    assert os.getpid() in [server["pid"] for server in facts["servers"]]
    assert facts["servers"][0]["resident"] > facts["servers"][0]["own"] > 0
    assert facts["parts"]["embedding model"] > 10e6
    assert facts["domains"][DOMAIN]["vectors"] == 100
    assert facts["domains"][DOMAIN]["memory"] > 0
    shown = script("memory_profiler", "--pid", str(os.getpid()), "--seconds", "0").stdout
    assert f"  {DOMAIN}" in shown
    assert "There is no process" in script("memory_profiler", "--pid", "999999999", code=2).stderr
    assert "does not answer" in script("memory_profiler", "--url", "http://127.0.0.1:9", code=4).stderr


@pytest.mark.parametrize(
    ("command", "role"),
    [
        pytest.param(
            ["/app/.venv/bin/python", "/app/.venv/bin/ace", "serve", "--port", "80"], "ace serve", id="server"
        ),
        pytest.param(["python", "-m", "ace", "serve"], "ace serve", id="as-a-module"),
        pytest.param(["/usr/bin/python3", "/usr/bin/ace-reflector"], "ace-reflector", id="reflector"),
        pytest.param(["python", "-m", "ace.workers.embedding"], "ace-embeddings", id="embeddings-module"),
        pytest.param(["vim", "serve.py"], None, id="an-editor"),
        pytest.param(["python", "-m", "http.server"], None, id="another-server"),
        pytest.param([], None, id="a-kernel-thread"),
    ],
)
def test_a_process_is_known_by_its_command(command: list[str], role: str | None) -> None:
    assert role_of(command) == role
