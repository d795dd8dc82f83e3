"""Servers and workers by the number, on one Postgres with pgvector: none of them has anything that the others lack.

homes      each process has a data directory of its own; a server's is deleted while it serves
doctor     and the operator's scripts look at the index in the database
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ace.repositories.database import Database
from ace.repositories.pgvector_index import EXACT_UNTIL
from ace.testing.llm import ScriptedLLM
from tests.conftest import REPOSITORY
from tests.e2e.conftest import clerk
from tests.e2e.nursery import nursery
from tests.e2e.servers import SHOWN_TO_ALL, Server, serving, stop

DOMAIN = "customer-a"


@dataclass
class Town:
    """Two servers, and what a process needs to belong to them."""

    home: Path
    settings: dict[str, str]
    servers: list[Server]

    def environment(self, name: str, **changes: str) -> dict[str, str]:
        """Of a process with the data directory of this name."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ACE_")}
        return {**inherited, **SHOWN_TO_ALL, **self.settings, "ACE_DATA_DIR": str(self.home / name), **changes}

    def ace(self, *words: str, code: int = 0, **changes: str) -> Any:
        done = nursery().run(*words, "--json", cwd=self.home, env=self.environment("desk", **changes))
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def town(
    tmp_path_factory: pytest.TempPathFactory, clone_postgres: Callable[[], str], models_dir: Path
) -> Iterator[Town]:
    home, url = tmp_path_factory.mktemp("town"), clone_postgres()
    with ScriptedLLM(clerk) as llm, ExitStack() as stack:
        settings = {
            "ACE_DATABASE_URL": url, "ACE_VECTOR_BACKEND": "pgvector", "ACE_MODELS_DIR": str(models_dir),
            "ACE_MODEL": "openai/clerk", "ACE_MODEL_BASE_URL": llm.url, "ACE_DEDUPE": "cosine", "ACE_REVIEW": "off",
        }  # fmt: skip
        servers = []
        for name in ("one", "two"):
            (home / name).mkdir()
            servers.append(stack.enter_context(serving(home / name, **settings)))
        yield Town(home, settings, servers)


def learn(server: Server, text: str) -> None:
    answer = server.post(f"/v1/domains/{DOMAIN}/insights", {"insights": [{"content": text, "section": "strategy"}]})
    assert answer.status_code == 200, answer.text


def shown(server: Server, task: str) -> str:
    answer = server.post(f"/v1/domains/{DOMAIN}/context", {"task": task, "k": 5})
    assert answer.status_code == 200, answer.text
    return "\n".join(bullet["content"] for bullet in answer.json()["bullets"])


def test_what_one_server_merged_another_shows_at_once_and_nothing_is_in_their_folders(town: Town) -> None:
    one, two = town.servers
    learn(one, "Refund a customer who was charged twice within a day.")
    assert "charged twice" in shown(two, "a customer was charged again")

    shutil.rmtree(town.home / "one" / "data")

    learn(two, "Ask for the number of the invoice before a refund.")
    assert "number of the invoice" in shown(one, "which number do I need for a refund?")
    learn(one, "Write to the customer when the refund is on its way.")
    assert "on its way" in shown(two, "what do I tell the customer about the refund?")
    assert one.ask("GET", "/health").json()["faiss"] == "ready"
    assert not list(town.home.rglob("*.faiss"))


def test_tasks_in_the_queue_are_shared_by_workers_and_every_server_shows_what_they_learned(town: Town) -> None:
    items = [f"cedar{number}" for number in range(12)]
    lines = [{"id": i, "question": f"What is the code of item {i}?", "ground_truth": f"{i}-{i}"} for i in items]
    (town.home / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = town.ace("learn", "tasks.jsonl", "--domain", "tasks", "--queue")
    assert (told["tasks"], told["new"], told["queued"]) == (12, 12, 12)

    command = [sys.executable, "-m", "ace.workers.reflection", "--once", "--json"]
    with ExitStack() as stack:
        workers = [subprocess.Popen(command, env=town.environment(f"worker-{n}"), stdout=subprocess.PIPE, text=True)
                   for n in range(2)]  # fmt: skip
        for worker in workers:
            stack.callback(stop, worker)
        did = [json.loads(worker.communicate(timeout=240)[0])["done"] for worker in workers]

    again = town.ace("learn", "tasks.jsonl", "--domain", "tasks", "--queue", "--wait")
    assert (sum(did), again["new"], again["done"], again["dead"]) == (12, 0, 12, 0)
    assert again["added"] + again["merged"] == 12  # lessons about codes are near to each other
    for server in town.servers:
        bullets = server.ask("GET", "/v1/domains/tasks/bullets").json()["bullets"]
        assert len(bullets) == again["added"]


def test_limits_of_a_run_are_refused_where_workers_make_the_calls(town: Town) -> None:
    words = ("learn", "tasks.jsonl", "--queue", "--max-calls", "5")
    done = nursery().run(*words, cwd=town.home, env=town.environment("desk"))
    assert done.returncode == 2
    assert "ACE_DOMAIN_CALLS_PER_DAY" in done.stderr


def index_check(town: Town, code: int = 0, **changes: str) -> str:
    found = {one["name"]: one for one in town.ace("doctor", code=code, **changes)["checks"]}
    return " ".join(found["index"][key] for key in ("state", "found", "remedy"))


def test_the_doctor_looks_at_the_index_in_the_database(town: Town, clone_postgres: Callable[[], str]) -> None:
    assert index_check(town).startswith("ok in Postgres, pgvector 0.8")

    fresh = clone_postgres()
    assert "none yet" in index_check(town, ACE_DATABASE_URL=fresh)
    store = Database(fresh)
    with store.transaction() as session:  # as many bullets as make a domain large; nobody searches for them
        session.say("INSERT INTO domains VALUES ('big', 1, repeat('0', 64), 384, now())")
        session.say("INSERT INTO playbook_bullets SELECT 'big', 'b' || n, 'x', 'other', 'shadow', 0, 0, '{}', 1, now()"
                    f" FROM generate_series(0, {EXACT_UNTIL}) AS n")  # fmt: skip
        session.say("INSERT INTO bullet_vectors VALUES ('big', 'b1', decode(repeat('003c', 384), 'hex'))")
    store.close()
    town.ace("playbook", "search", "x", "--domain", "nobody", ACE_DATABASE_URL=fresh)
    told = index_check(town, ACE_DATABASE_URL=fresh)
    assert told.startswith("warning")
    assert "1 large domains without a graph" in told

    (cleaned,) = script(town, "cleanup_faiss", "--domain", "big", ACE_DATABASE_URL=fresh)["domains"]
    assert (cleaned["vectors"], cleaned["dropped"]) == (EXACT_UNTIL + 1, 0)
    assert cleaned["bytes_after"] > cleaned["bytes_before"] > 0
    assert index_check(town, ACE_DATABASE_URL=fresh).endswith("1 domains with a graph ")
    held = script(town, "memory_profiler", "--seconds", "0", ACE_DATABASE_URL=fresh)["domains"]["big"]
    assert held == {"vectors": EXACT_UNTIL + 1, "memory": 0, "files": cleaned["bytes_after"]}


def script(town: Town, name: str, *words: str, **changes: str) -> Any:
    command = [sys.executable, str(REPOSITORY / "scripts" / f"{name}.py"), *words, "--json"]
    done = subprocess.run(command, env=town.environment("desk", **changes), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
