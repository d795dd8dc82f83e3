"""History as its users see it: by command and over HTTP; a rollback of ten thousand bullets while others read."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from ace.models.plan import Add, Increment
from ace.repositories import schema
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.services.verification import verify
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures
from tests.e2e.servers import Server, serving, wait_until
from tests.playbooks import DOMAIN, NOW, bullet

MANY, ALL = 2_000, 10_000


def teach(store: PlaybookRepository, name: str, count: int) -> list[str]:
    """That many bullets with a vote each, in one commit."""
    made = [bullet(f"{name} {number}: compare the units of both sides before dividing") for number in range(count)]
    drawn = np.random.default_rng(len(name)).standard_normal((count, 384)).astype(np.float32)
    units = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    votes = [Increment(bullet_id=one.id, episode_id=f"{name}-e", helpful=1) for one in made]
    with store.transaction(DOMAIN) as transaction:
        transaction.apply([*(Add(bullet=one) for one in made), *votes],
                          vectors={one.id: unit for one, unit in zip(made, units, strict=True)}, now=NOW)  # fmt: skip
    return [one.id for one in made]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    found: str = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    return found or f"sqlite:///{tmp_path / 'data' / 'ace.db'}"


class Reader(threading.Thread):
    """Asks for bullets without a pause; keeps every answer's status, and the positions in the order seen."""

    def __init__(self, server: Server, stop: threading.Event) -> None:
        super().__init__()
        self._url, self._stopping = server.url, stop
        self.statuses: list[int] = []
        self.positions: list[int] = []

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._stopping.is_set():
                found = client.post(f"/v1/domains/{DOMAIN}/context", json={"task": "compare the units", "k": 5})
                listed = client.get(f"/v1/domains/{DOMAIN}/bullets", params={"limit": 20})
                self.statuses += [found.status_code, listed.status_code]
                if found.status_code == 200:
                    self.positions.append(found.json()["position"])


def test_readers_go_on_while_a_large_playbook_is_rolled_back(
    url: str, tmp_path: Path, models_dir: Path, pytestconfig: pytest.Config
) -> None:
    (tmp_path / "data").mkdir()
    database = Database(url)
    schema.upgrade(database)
    store = PlaybookRepository(database)
    many = ALL if pytestconfig.getoption("--full") else MANY
    kept = teach(store, "kept", many)
    good = store.head(DOMAIN).seq
    teach(store, "bad", 500)
    settings = {"ACE_MODELS_DIR": str(models_dir), "ACE_DATABASE_URL": url, "ACE_SIMILARITY_FLOOR": "-1",
                "ACE_REQUEST_DEADLINE_S": "60", "ACE_STAGE_INTERVAL_S": "0"}  # fmt: skip
    with serving(tmp_path, "--workers", "2", **settings) as server:
        stop = threading.Event()
        readers = [Reader(server, stop) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            wait_until(lambda: all(len(reader.positions) > 3 for reader in readers), 60)
            words = ["rollback", "--domain", DOMAIN, "--to", str(good), "--reason", "bad", "--json"]
            done = json.loads(server.ace(*words))
            wait_until(lambda: all(reader.positions[-1] == done["position"] for reader in readers), 60)
        finally:
            stop.set()
            for reader in readers:
                reader.join(60)
        assert {status for reader in readers for status in reader.statuses} == {200}
        for _ in range(8):  # whichever process answers
            answer = server.post(f"/v1/domains/{DOMAIN}/context", {"task": "compare the units", "k": 50}).json()
            assert {one["id"] for one in answer["bullets"]} <= set(kept)
    assert (done["to"], len(done["removed"])) == (good, 500)
    assert verify(DOMAIN, store).fault == ""
    assert len(store.get_all(DOMAIN)) == many
    database.close()


@pytest.fixture
def server(tmp_path: Path, models_dir: Path) -> Any:
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir)) as run:
        yield run


def test_history_over_http(server: Server) -> None:
    base = f"/v1/domains/{DOMAIN}"
    for text in ("Check the units of every number.", "Answer with the tag alone, nothing else."):
        server.post(f"{base}/insights", {"insights": [{"content": text}], "episode_id": text[:5]})
    assert server.post(f"{base}/releases", {"name": "v1", "note": "n"}).json()["position"] == 2
    moved = server.ask("GET", f"{base}/bullets").json()["bullets"][0]["id"]
    server.post(f"{base}/bullets/{moved}/promote", {"reason": "r"})
    past = server.ask("GET", f"{base}/playbook", params={"as_of": "release:v1", "limit": 1}).json()
    assert (past["position"], past["total"], past["next"], past["bullets"][0]["stage"]) == (2, 2, 1, "shadow")
    found = server.ask("GET", f"{base}/diff", params={"from": "release:v1", "to": "head"}).json()
    assert found["promoted"] == [{"id": moved, "from": "shadow", "to": "staging"}]

    shown = server.post(f"{base}/rollback", {"to": "release:v1", "dry_run": True}).json()
    assert (shown["position"], shown["difference"]["lowered"][0]["id"]) == (None, moved)
    body = {"to": "release:v1", "reason": "it was bad"}
    done = [server.post(f"{base}/rollback", body, **{"Idempotency-Key": "k"}).json() for _ in range(2)]
    assert done == [{"dry_run": False, "to": 2, "position": 4, "difference": None}] * 2
    assert server.post(f"{base}/releases", {"name": "v1"}).status_code == 409
    assert server.post(f"{base}/rollback", {"to": "release:v1"}).json()["field"] == "reason"
    assert server.post(f"{base}/rollback", {"to": "99", "reason": "r"}).json()["remedy"] == "Give 0 to 4"

    purge = {"episode": "Check", "reason": "poisoned"}
    purged = [server.post(f"{base}/purge", purge).json() for _ in range(2)]
    assert [len(one["quarantined"]) for one in purged] == [1, 0]
    assert server.post(f"{base}/purge", {"reason": "r"}).status_code == 422


def test_the_server_anchors_the_heads_by_itself(tmp_path: Path, models_dir: Path) -> None:
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir), ACE_STAGE_INTERVAL_S="0.2") as server:
        server.post(f"/v1/domains/{DOMAIN}/insights", {"insights": [{"content": "Check the units."}]})
        path = f"/v1/domains/{DOMAIN}/journal/verification"
        wait_until(lambda: server.ask("GET", path).json()["anchored"] == 1, 60)
        report = server.ask("GET", path).json()
        assert (report["sound"], report["kind"], report["first_bad"]) == (True, None, None)
        key = tmp_path / "data" / "anchor.key"
        assert key.stat().st_mode & 0o777 == 0o600
        with Database(f"sqlite:///{tmp_path / 'data' / 'ace.db'}").transaction() as session:
            session.say("DELETE FROM playbook_journal")
            session.say("DELETE FROM playbook_bullets")
            session.say(f"UPDATE domains SET seq = 0, head_hash = '{'0' * 64}'")
        report = server.ask("GET", path).json()
        assert (report["sound"], report["kind"], report["first_bad"]) == (False, "truncated", 1)


def test_history_by_command(ace: Ace) -> None:  # noqa: F811
    ace("learn", ace.tasks("tasks.jsonl", ["amber", "birch"]), "--domain", DOMAIN)
    made = ace.json("release", "create", "v1", "--domain", DOMAIN)
    assert ace.json("release", "list", "--domain", DOMAIN) == [made]
    assert "v1" in ace("release", "list", "--domain", DOMAIN).stdout
    ace("learn", ace.tasks("more.jsonl", ["cedar"]), "--domain", DOMAIN)
    then = ace.json("playbook", "show", "--domain", DOMAIN, "--as-of", "release:v1")
    assert len(then) == 2
    assert len(ace.json("playbook", "diff", "release:v1", "head", "--domain", DOMAIN)["added"]) == 1
    assert "1 added" in ace("playbook", "diff", "release:v1", "--domain", DOMAIN).stdout

    back = ("rollback", "--domain", DOMAIN, "--to", "release:v1")
    assert "1 removed" in ace(*back, "--dry-run").stdout
    assert len(ace.json("playbook", "show", "--domain", DOMAIN)) == 3
    assert "--yes" in ace(*back, "--reason", "r", code=2).stderr
    assert "reason" in ace(*back, "--yes", code=2).stderr
    assert "Undo it: ace rollback" in ace(*back, "--yes", "--reason", "r").stdout
    assert ace.json("playbook", "show", "--domain", DOMAIN) == then

    purge = ("purge", "--domain", DOMAIN, "--episode", then[0]["origin"]["episode_id"])
    assert "1 bullets would be quarantined" in ace(*purge, "--dry-run").stdout
    assert len(ace.json(*purge, "--reason", "r")["quarantined"]) == 1
    assert ace.json(*purge, "--reason", "r")["already_quarantined"] == 1

    assert "not anchored" in ace("journal", "verify").stdout
    assert "is anchored in line 1" in ace("journal", "anchor").stdout
    assert "No head has moved" in ace("journal", "anchor").stdout
    report = ace.json("playbook", "verify", "--domain", DOMAIN)
    assert (report["sound"], report["anchored"]) == (True, report["entries"])
    with Database(f"sqlite:///{ace.home / 'data' / 'ace.db'}").transaction() as session:
        session.say("UPDATE playbook_journal SET body = '{}' WHERE seq = 2")
    failed = ace("journal", "verify", "--domain", DOMAIN, "--json", code=2)
    assert (json.loads(failed.stdout)["kind"], json.loads(failed.stdout)["first_bad"]) == ("changed", 2)
    elsewhere = ace("journal", "verify", "--anchor", str(ace.home / "none.jsonl"), code=2).stdout
    assert "entry 2 was changed" in elsewhere
    assert "not anchored" in elsewhere
