"""`ace-reflector` as processes of their own, on both databases: exactly once, whatever dies on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ace.core.leasing import MAX_ATTEMPTS
from ace.models.episode import EpisodeState, EpisodeStatus
from ace.models.plan import Add
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.testing.embedder import HashEmbedder
from ace.testing.llm import ChatRequest, Reply, ScriptedLLM, hang, reset, say, status
from tests.conftest import REPOSITORY
from tests.episodes import UNJUDGED, episode
from tests.playbooks import DOMAIN, NOW, assert_sound, bullet

PATIENCE_S = 240


def tutor(request: ChatRequest) -> Reply:
    """Tags every bullet it is shown helpful; writes one lesson that names the item."""
    item = re.findall(r"item (\w+)", request.prompt)[-1]
    cited = re.findall(r"strategy-[a-z2-7]{10}", request.prompt)
    lesson = {"section": "example", "content": f"Look the ledger up: {item} carries {item}-{item}.", "confidence": 0.9}
    return say(json.dumps({"tags": dict.fromkeys(cited, "helpful"), "lessons": [lesson]}), delay_s=0.02)


class Shop:
    """A database with one known bullet, the model server, and reflectors that are started on them."""

    def __init__(self, home: Path, models_dir: Path, database: Database, llm: ScriptedLLM) -> None:
        self.home, self.llm, self._started = home, llm, list[subprocess.Popen[str]]()
        self.playbook, self.episodes = PlaybookRepository(database), EpisodeRepository(database)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ACE_")}
        self._environment = inherited | {
            "ACE_DATABASE_URL": database.url.render_as_string(hide_password=False),
            "ACE_DATA_DIR": str(home / "data"),
            "ACE_MODELS_DIR": str(models_dir),
            "ACE_MODEL": "openai/tutor",
            "ACE_MODEL_BASE_URL": llm.url,
            "ACE_DEDUPE": "cosine",
        }
        known = bullet("Look into the ledger first.")
        self.known = known.id
        with self.playbook.transaction(DOMAIN) as transaction:
            vectors = {known.id: HashEmbedder().embed([known.content])[0]}
            transaction.apply([Add(bullet=known)], vectors=vectors, now=NOW)

    def report(self, *items: str) -> list[bool]:
        """Report an episode about each item, which cited the known bullet; which of them are new."""
        return [
            self.episodes.report(
                episode(item, question=f"What is the code of item {item}?", shown=[self.known], cited=[self.known])
            )
            for item in items
        ]

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """A reflector."""
        return self._start("-m", "ace.workers.reflection", "--poll-s", "0.05", *words, **environment)

    def manual(self, *words: str, code: int = 0) -> str:
        """What scripts/manual_reflection.py says."""
        process = self._start(str(REPOSITORY / "scripts" / "manual_reflection.py"), *words)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == code, stdout + stderr
        assert "Traceback" not in stderr
        return stdout + stderr

    def _start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=self.home,
            env=self._environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def drain(self, **environment: str) -> dict[str, int]:
        process = self.start("--once", "--json", **environment)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, stderr
        figures: dict[str, int] = json.loads(stdout)
        return figures

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def status(self, own: str) -> EpisodeStatus:
        found = self.episodes.status(DOMAIN, own)
        assert found is not None
        return found

    def votes(self) -> int:
        found = self.playbook.get(DOMAIN, self.known)
        assert found is not None
        return found.helpful_count

    def done(self) -> int:
        return self.episodes.counts()[EpisodeState.DONE]


@pytest.fixture
def shop(tmp_path: Path, models_dir: Path, database: Database) -> Iterator[Callable[..., Shop]]:
    """Opens the shop with a script for its model server."""
    servers, shops = list[ScriptedLLM](), list[Shop]()

    def opened(script: Callable[[ChatRequest], Reply] = tutor) -> Shop:
        servers.append(ScriptedLLM(script).__enter__())
        shops.append(Shop(tmp_path, models_dir, database, servers[-1]))
        return shops[-1]

    yield opened
    for one in shops:
        one.close()
    for server in servers:
        server.__exit__(None, None, None)


def until(happens: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    """Wait for it, as long as these processes live."""
    end = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < end, "waited in vain"
        assert all(process.poll() is None for process in processes), [process.communicate() for process in processes]
        time.sleep(0.02)


def test_two_workers_share_the_episodes_and_each_counts_once(shop: Callable[..., Shop]) -> None:
    own = shop()
    items = [f"item{number}" for number in range(16)]
    own.report(*items)
    workers = [own.start("--concurrency", "2") for _ in range(2)]
    until(lambda: own.done() == len(items), *workers)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    endings = [(worker.communicate(timeout=PATIENCE_S)[0], worker.returncode) for worker in workers]
    assert [code for _, code in endings] == [0, 0]
    assert sum(log.count("reflection_complete") for log, _ in endings) == len(items)
    assert own.votes() == len(items)
    assert len(own.llm.requests) == len(items), "one call an episode"
    entries = assert_sound(own.playbook)
    votes = Counter(e.body["episode_id"] for e in entries if e.kind == "increment" and e.body["bullet_id"] == own.known)
    assert votes == Counter(dict.fromkeys(items, 1))
    assert (own.home / "data" / "reflector.alive").exists()


def test_the_episode_of_a_killed_worker_is_done_by_another_after_the_lease(shop: Callable[..., Shop]) -> None:
    own = shop(lambda request: hang() if request.number == 0 else tutor(request))
    own.report("amber", "birch")
    victim = own.start(ACE_LEASE_S="4")
    until(lambda: len(own.llm.requests) == 1, victim)
    victim.kill()
    victim.wait()
    assert own.status("amber").state == EpisodeState.LEASED
    heir = own.start(ACE_LEASE_S="120")
    until(lambda: own.done() == 2, heir)
    heir.send_signal(signal.SIGTERM)
    heir.communicate(timeout=PATIENCE_S)
    assert (heir.returncode, own.status("amber").attempts, own.status("birch").attempts) == (0, 2, 1)
    assert own.votes() == 2
    assert_sound(own.playbook)


def test_workers_killed_again_and_again_lose_nothing_and_count_nothing_twice(shop: Callable[..., Shop]) -> None:
    own = shop()
    items = [f"item{number}" for number in range(12)]
    own.report(*items)
    for asked in (2, 5, 8):
        victim = own.start("--concurrency", "2", ACE_LEASE_S="3")
        until(lambda: len(own.llm.requests) >= asked, victim)  # noqa: B023
        victim.kill()
        victim.wait()
        assert_sound(own.playbook)
    heir = own.start(ACE_LEASE_S="120")
    until(lambda: own.done() == len(items), heir)
    heir.send_signal(signal.SIGTERM)
    heir.communicate(timeout=PATIENCE_S)
    assert own.votes() == len(items)
    assert_sound(own.playbook)


def test_sigterm_gives_the_episode_in_hand_back(shop: Callable[..., Shop]) -> None:
    own = shop(lambda request: hang())
    own.report("amber")
    worker = own.start()
    until(lambda: len(own.llm.requests) == 1, worker)
    worker.send_signal(signal.SIGTERM)
    log = worker.communicate(timeout=PATIENCE_S)[0]
    assert worker.returncode == 0, log
    assert '"ending": "released"' in log
    left = own.status("amber")
    assert (left.state, left.attempts, left.owner) == (EpisodeState.QUEUED, 0, None)
    assert own.votes() == 0


def test_once_drains_and_a_repeated_report_brings_nothing_new(shop: Callable[..., Shop]) -> None:
    own = shop()
    own.report("amber", "birch")
    own.episodes.report(episode("bare", feedback=UNJUDGED))
    figures = own.drain()
    assert (figures["done"], figures["votes"], figures["added"] + figures["merged"]) == (3, 2, 2)
    head = own.playbook.head(DOMAIN)
    assert own.report("amber", "birch") == [False, False]
    assert own.drain()["done"] == 0
    assert (own.playbook.head(DOMAIN), own.votes(), len(own.llm.requests)) == (head, 2, 2)


def test_without_a_model_the_template_teaches_and_nothing_is_asked(shop: Callable[..., Shop]) -> None:
    own = shop()
    own.report("amber")
    assert own.drain(ACE_MODEL="local", ACE_MODEL_BASE_URL="http://127.0.0.1:9/v1")["added"] == 1
    assert own.llm.requests == []
    assert own.votes() == 1


def test_a_domain_that_is_none_is_an_error_of_yours(shop: Callable[..., Shop]) -> None:
    worker = shop().start("--domain", "../etc")
    log = worker.communicate(timeout=PATIENCE_S)[1]
    assert worker.returncode == 2
    assert "domain" in log
    assert "Traceback" not in log


def test_a_bullet_that_lacks_feedback_gets_that_of_the_dead_and_the_waiting(shop: Callable[..., Shop]) -> None:
    own = shop()
    own.report("amber", "birch", "cedar")
    own.episodes.report(episode("dune", question="item dune"))
    for _ in range(MAX_ATTEMPTS):
        attempt(own, "amber", "the model was away")
    attempt(own, "birch", "not yet")
    own.episodes.claim_one("somebody", time.time(), 1000, DOMAIN, "cedar")
    said = own.manual("--bullet-id", own.known)
    assert "amber: queued again (it was dead: the model was away)" in said
    assert "1 queued, 1 leased, 0 done, 1 dead" in said
    assert "before +0 -0, after +2 -0" in said
    assert [own.status(item).state.value for item in ("amber", "birch", "cedar", "dune")] == [
        "done", "done", "leased", "queued",
    ]  # fmt: skip
    again = own.manual("--bullet-id", own.known, "--domain", DOMAIN)
    assert "Nothing to reflect on" in again
    assert own.votes() == 2
    assert_sound(own.playbook)


def attempt(shop: Shop, item: str, failure: str) -> None:
    claim = shop.episodes.claim_one("w", time.time(), 1000, DOMAIN, item)
    assert claim is not None
    shop.episodes.postpone(claim, failure, time.time())


def test_the_episode_a_bullet_was_born_from_bears_on_it(shop: Callable[..., Shop]) -> None:
    own = shop()
    own.report("amber")
    own.drain()
    born = next(b for b in own.playbook.get_all(DOMAIN) if b.id != own.known)
    assert "0 queued, 0 leased, 1 done, 0 dead" in own.manual("--bullet-id", born.id)


@pytest.mark.parametrize(
    ("script", "words", "code", "says"),
    [
        pytest.param(tutor, ("--bullet-id", "strategy-none"), 2, "no bullet 'strategy-none' in any", id="no-bullet"),
        pytest.param(tutor, ("--bullet-id", "x", "--domain", "../etc"), 2, "domain", id="no-domain"),
        pytest.param(lambda _: status(401), (), 2, "key", id="a-key-that-is-refused"),
        pytest.param(lambda _: reset(), (), 4, "cannot be reached", id="a-model-that-is-away"),
    ],
)
def test_it_ends_with_the_exit_code_of_what_went_wrong(
    shop: Callable[..., Shop], script: Callable[[ChatRequest], Reply], words: tuple[str, ...], code: int, says: str
) -> None:
    own = shop(script)
    own.report("amber")
    assert says in own.manual(*(words or ("--bullet-id", own.known)), code=code)
    assert own.status("amber").state == EpisodeState.QUEUED
