"""What earlier releases left behind opens, proves itself, rolls back, answers and goes on, on both databases.

`recorded/<commit>` was written by that release (`record.py`) and is never edited: where a test here fails, the code is
wrong. An answer may hold more than it did, never less and nothing else.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ace.config import load_settings
from ace.errors import InvalidInput
from ace.testing.llm import ScriptedLLM
from tests.compatibility.home import Home, facts
from tests.compatibility.record import RULE, clerk

RELEASES = sorted((Path(__file__).parent / "recorded").iterdir())


@pytest.fixture(scope="module")
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM(clerk) as server:
        yield server


class Old:
    """A home as an old release left it, with this release installed and the schema brought up to it."""

    def __init__(self, recorded: Path, database: str, root: Path, llm: ScriptedLLM, url: str | None) -> None:
        self.known: dict[str, Any] = json.loads((recorded / f"{database}.json").read_text())
        self.home = Home(root, llm.url, url)
        shutil.copytree(recorded / database, self.home.data)
        dump = gzip.decompress((recorded / f"{database}.sql.gz").read_bytes()).decode()
        put_back(dump, url, self.home.data / "ace.db")
        self.ace = self.home.ace
        self.ace("db", "upgrade")

    def bullets(self, **settings: str) -> Any:
        return json.loads(self.ace("playbook", "show", "-d", "shop", "--limit", "1000", "--json", **settings).stdout)


def put_back(dump: str, url: str | None, file: Path) -> None:
    """The dump as a database again."""
    if url is None:
        with sqlite3.connect(file) as sqlite:
            sqlite.executescript(dump)
        sqlite.close()
        return
    with psycopg.connect(url, autocommit=True) as postgres:
        postgres.execute(dump.encode())


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=RELEASES, ids=lambda folder: folder.name)
def old(
    request: pytest.FixtureRequest, database: str, tmp_path: Path, llm: ScriptedLLM, models_dir: Path,
    blank_postgres: Callable[[], str],
) -> Old:  # fmt: skip
    return Old(request.param, database, tmp_path / "home", llm, None if database == "sqlite" else blank_postgres())


def missing(known: Any, answer: Any, where: str = "") -> list[str]:
    """Where the answer lacks what was known, or says something else; what is new in it is passed over."""
    if isinstance(known, dict) and isinstance(answer, dict):
        lost = [f"{where}.{name} is gone" for name in known.keys() - answer.keys()]
        return lost + [fault for name in known.keys() & answer.keys()
                       for fault in missing(known[name], answer[name], f"{where}.{name}")]  # fmt: skip
    if isinstance(known, list) and isinstance(answer, list) and len(known) == len(answer):
        pairs = zip(known, answer, strict=True)
        return [fault for n, (one, other) in enumerate(pairs) for fault in missing(one, other, f"{where}[{n}]")]
    same = known == pytest.approx(answer, abs=1e-5) if isinstance(known, float) else known == answer
    return [] if same else [f"{where} was {known!r}, is {answer!r}"]


def test_what_was_known_is_known_and_proven(old: Old) -> None:
    """Bullets, counters, stages, past states, releases, reviews, keys; every journal is sound and anchored."""
    told = facts(old.home)
    assert missing({name: old.known[name] for name in told}, told) == []
    assert all(domain["verified"]["sound"] for domain in told["domains"].values())


def test_a_fault_in_what_was_recorded_would_be_seen(old: Old) -> None:
    (old.home.data / "anchors.jsonl").write_text("{}\n")
    old.ace("journal", "verify", code=2)


def test_it_rolls_back_and_forth(old: Old) -> None:
    past = old.known["domains"]["shop"]["as_of"]
    for release in ("release:first", "release:second"):
        old.ace("rollback", "-d", "shop", "--to", release, "--reason", "to see it", "--yes")
        assert missing(past[release], old.bullets()) == []
    old.ace("journal", "anchor")
    old.ace("journal", "verify")


def test_its_key_and_its_receipt_are_good_and_learning_goes_on(old: Old) -> None:
    """An agent that asked before the upgrade reports after it; what was queued then is done now."""
    question = "What is the code of item amber?"
    with old.home.serving() as server:
        assert server.ask("GET", "/v1/domains").status_code == 401
        answer = server.post("/v1/domains/shop/context", {"task": question}, key=old.known["key"])
        assert RULE in answer.json()["text"]
        report = {"receipt": old.known["receipt"], "task": question, "answer": "amber-amber",
                  "outcome": {"correct": True, "verifier": "test"}}  # fmt: skip
        taken = server.post("/v1/domains/shop/episodes", report, key=old.known["key"])
        assert (taken.status_code, taken.json()["new"]) == (202, True), taken.text
    before = len(old.bullets())
    done = old.ace.json("worker", "--once")
    assert (done["done"], done["dead"]) == (3, 0), "the report, and two tasks that were waiting"
    assert len(old.bullets()) > before
    old.ace("journal", "verify")


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_its_backup_is_restored_into_either_database(
    old: Old, target: str, tmp_path: Path, blank_postgres: Callable[[], str]
) -> None:
    url = f"sqlite:///{tmp_path / 'restored.db'}" if target == "sqlite" else blank_postgres()
    old.ace("db", "verify", "latest")
    old.ace("db", "restore", "latest", "--into", url)
    assert missing(old.known["domains"]["shop"]["bullets"], old.bullets(ACE_DATABASE_URL=url)) == []


def test_its_runs_are_reported_and_one_that_was_stopped_goes_on(old: Old, llm: ScriptedLLM) -> None:
    """What had been paid for is not asked again."""
    runs = old.home.data / "runs"
    for run in sorted(runs.iterdir()):
        old.ace("report", run.name)
    calls = runs / "stopped" / "calls.jsonl"
    paid, asked = calls.read_text().splitlines(), len(llm.requests)
    old.ace("train", str(old.home.data / "many.jsonl"), "-d", "office", "--epochs", "3", "--run", "stopped")
    assert calls.read_text().splitlines()[: len(paid)] == paid
    assert len(llm.requests) - asked == len(calls.read_text().splitlines()) - len(paid) > 0


SETTINGS = [(folder, line.split(" = ")[0]) for folder in RELEASES
            for line in (folder / "settings.toml").read_text().splitlines()]  # fmt: skip


NAMED_OTHERWISE = {"otel_endpoint": "otel_exporter_otlp_endpoint"}  # OpenTelemetry's own name goes before ours


@pytest.mark.parametrize(("release", "name"), SETTINGS)
def test_every_setting_is_still_read(release: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of no kind is refused by name, so the name is read."""
    file = tmp_path / "ace.toml"
    file.write_text(f"{name} = []\n")
    monkeypatch.setenv("ACE_CONFIG", str(file))
    for variable in [variable for variable in os.environ if variable.startswith("ACE_") and variable != "ACE_CONFIG"]:
        monkeypatch.delenv(variable)
    with pytest.raises(InvalidInput, match=f"(?i){NAMED_OTHERWISE.get(name, name)}:"):
        load_settings()


@pytest.mark.parametrize("release", RELEASES, ids=lambda folder: folder.name)
def test_its_ace_toml_is_obeyed(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACE_CONFIG", str(release / "ace.toml"))
    monkeypatch.delenv("ACE_MODEL", raising=False)
    assert load_settings().model == "openai/clerk"
