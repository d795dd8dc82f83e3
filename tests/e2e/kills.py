"""A town under siege: its processes are killed at random moments while agents report, and then everything is checked.

What the agents were told is held against what is there: see `ace.testing.checks`, and `taught_once` below.
"""

from __future__ import annotations

import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from ace.models.episode import EpisodeState
from ace.models.integrity import Anchored
from ace.repositories.episode_repository import EpisodeRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.statements import statement
from ace.services.anchoring import Anchoring
from ace.testing import checks
from ace.utils.anchor import FileAnchors, key_in
from ace.utils.clock import SystemClock
from ace.utils.faiss_index import FaissManager
from tests.e2e.agents import DOMAINS, Agent, Ledger
from tests.e2e.servers import wait_until
from tests.e2e.town import LEASE_S, Post, Town, town

AGENTS, LEAST = 4, 3  # agents, and kills at least
PAUSE_S = (0.3, 3.0)  # between two kills, at least and at most
START_S, DRAIN_S = 60.0, 300.0
CUT_SHORT = statement("UPDATE episodes SET due_at = reported_at WHERE state = 'queued' AND due_at > reported_at")


@dataclass(kw_only=True)
class Figures:
    """What was done, what was asked, and what is wrong: nothing, if all is well."""

    seed: int
    reports: int
    pause_s: tuple[float, float] = PAUSE_S
    acknowledged: int = 0
    unanswered: int = 0  # sent once, and not answered
    direct: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    postgres_restarts: int = 0
    started_again: int = 0  # what ended by itself, with Postgres away
    requeued: int = 0  # dead letters
    entries: int = 0
    anchors: int = 0  # heads of journals, written down outside the database on the way
    statuses: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    drained_in_s: float = 0.0
    lost: int = 0
    doubled: int = 0
    complaints: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Reaper(threading.Thread):
    """Kills one thing after the other until told to stop, and starts it again; Postgres once, half-way."""

    def __init__(self, town: Town, figures: Figures) -> None:
        super().__init__(daemon=True)
        self._town, self._random, self._pause_s = town, random.Random(figures.seed), figures.pause_s
        self.half_way, self.over, self.kills, self.restarts, self.started_again = (
            threading.Event(),
            threading.Event(),
            Counter[str](),
            0,
            0,
        )

    def run(self) -> None:
        while not self.over.wait(self._random.uniform(*self._pause_s)):
            self.started_again += self._town.tend()
            if not self.restarts and self.half_way.is_set():
                self._town.postgres.restart()
                self.restarts += 1
            self._strike()

    def _strike(self) -> None:
        post, lot = self._random.choice(self._town.posts), self._random.random()
        kind = post.name.split("-")[0]
        if kind == "server" and lot < 0.5:
            self.kills["server's process"] += post.kill_a_child()
        elif kind == "reflector" and lot < 0.25:
            self._outlive_its_lease(post)
            self.kills["reflector frozen"] += 1
        else:
            post.kill()
            self.kills[kind] += 1
            self.over.wait(self._random.uniform(0, 0.5))
            post.ensure()

    def _outlive_its_lease(self, post: Post) -> None:
        """What it has in hand goes to another; when it wakes up, it goes on as if nothing had happened."""
        post.freeze()
        self.over.wait(LEASE_S + 1)
        post.thaw()


def siege(figures: Figures, home: Path, models_dir: Path, say: Callable[[str], None] = print) -> Figures:
    """All of it, as the figures say; they are completed, with every complaint."""
    start = time.monotonic()
    with town(home, models_dir) as running:
        ledger = _besieged(running, figures, say)
        drained = time.monotonic()
        figures.requeued = _drain(running)
        figures.drained_in_s = round(time.monotonic() - drained, 1)
        _look_in(running)
        running.stop()
        say("checking")
        _check(running, ledger, figures)
    figures.seconds = round(time.monotonic() - start, 1)
    return figures


def _besieged(running: Town, figures: Figures, say: Callable[[str], None]) -> Ledger:
    """Reports and kills, until every agent is done and enough was killed; what the agents know."""
    ledger, reaper, half = Ledger(), Reaper(running, figures), figures.reports // 2
    hot = _hot_bullets(running, ledger)
    reaper.start()
    for numbers in (range(half), range(half, figures.reports)):
        _wave(running, hot, ledger, figures.seed, numbers)
        say(f"{numbers.stop} of {figures.reports}, {sum(reaper.kills.values())} kills")
        reaper.half_way.set()
    wait_until(lambda: reaper.restarts and sum(reaper.kills.values()) >= LEAST, START_S)
    reaper.over.set()
    reaper.join()
    figures.kills, figures.postgres_restarts = dict(reaper.kills), reaper.restarts
    figures.started_again = reaper.started_again
    return ledger


def _wave(running: Town, hot: dict[str, str], ledger: Ledger, seed: int, numbers: range) -> None:
    """Have these reports made by a few agents beside each other."""
    work = queue.SimpleQueue[int]()
    for number in numbers:
        work.put(number)
    agents = [Agent(work, running.urls, hot, ledger, seed) for _ in range(AGENTS)]
    for agent in agents:
        agent.start()
    for agent in agents:
        agent.join()


def _hot_bullets(running: Town, ledger: Ledger) -> dict[str, str]:
    """A bullet of each domain that everybody votes on."""
    agent, found = Agent(queue.SimpleQueue(), running.urls, {}, ledger, 0), {}
    for domain in DOMAINS:
        body = {"episode_id": "first", "insights": [{"content": "Check the units of every number before you divide."}]}
        answer = agent.ask(f"/v1/domains/{domain}/insights", body, key="first")
        found[domain] = answer["outcomes"][0]["bullet_id"]
    return found


def _drain(running: Town) -> int:
    """Wait until every report is DONE. The pauses after failures are cut short; how many had died meanwhile."""
    episodes, requeued = EpisodeRepository(running.database), 0

    def all_done() -> bool:
        nonlocal requeued
        running.tend()
        with running.database.transaction() as session:
            session.run(CUT_SHORT)
        for domain in DOMAINS:
            for dead in episodes.list(domain, EpisodeState.DEAD):
                episodes.requeue(domain, dead.id)
                requeued += 1
        counted = episodes.counts()
        return sum(counted.values()) == counted[EpisodeState.DONE]

    wait_until(all_done, DRAIN_S, lambda: f"{episodes.counts()}\n{running.logs()[-5000:]}")
    return requeued


def _look_in(running: Town) -> None:
    """Whoever is left answers for its health and its figures, whatever the dead were writing when they died."""
    for url in (server + path for server in running.urls for path in ("/livez", "/health", "/metrics")):
        wait_until(lambda: _is_well(url), START_S, lambda: f"{url} does not answer\n{running.logs()[-5000:]}")  # noqa: B023


def _is_well(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).is_success
    except httpx.TransportError:
        return False


def _check(running: Town, ledger: Ledger, figures: Figures) -> None:
    database, store = running.database, PlaybookRepository(running.database)
    index = FaissManager(store, running.home / "data" / "indices")
    held = checks.read(database)
    lost, doubled = checks.reports(held, ledger.acknowledged), [*checks.effects(held), *checks.counters(held)]
    doubled += [*taught_once(held, ledger), *observed_once(held, ledger)]
    figures.acknowledged, figures.unanswered = len(ledger.acknowledged), len(ledger.unanswered)
    figures.direct, figures.statuses = len(ledger.taught), dict(ledger.statuses)
    figures.entries = sum(position.seq for position in held.domains.values())
    figures.lost, figures.doubled = len(lost), len(doubled)
    anchored = _anchored(running, store)
    figures.anchors = len(anchored.anchors)
    rest = [*checks.chain(store, anchored), *checks.tables(held), *checks.indexed(store, index), *ledger.wrong]
    figures.complaints = [*lost, *doubled, *rest]


def _anchored(running: Town, store: PlaybookRepository) -> Anchored:
    """The heads that the servers have written down outside the database."""
    data = running.home / "data"
    log = FileAnchors(data / "anchors.jsonl")
    return Anchoring(store, log, partial(key_in, data / "anchor.key"), SystemClock()).read()


def taught_once(held: checks.Held, ledger: Ledger) -> list[str]:
    """Each direct request whose answer is not what the journal has of it."""
    found, said = _made(held), []
    for (domain, own), answer in ledger.taught.items():
        outcomes = Counter(one["outcome"] for one in answer["outcomes"])
        expected = (outcomes["added"] + outcomes["linked"], outcomes["merged"] + 1)
        made = (found[domain, own, "add"], found[domain, own, "increment"])
        if made != expected:
            said.append(f"{domain}: {own} was answered {expected} bullets and votes, the journal has {made}")
    return said


def observed_once(held: checks.Held, ledger: Ledger) -> list[str]:
    """Each acknowledged report that the journal has not exactly one observation of."""
    found = _made(held)
    counted = {(domain, own): found[domain, own, "observe"] for domain, own in sorted(ledger.acknowledged)}
    return [f"{domain}: {own} was observed {n} times" for (domain, own), n in counted.items() if n != 1]


def _made(held: checks.Held) -> Counter[tuple[str, str, str]]:
    """How many entries of each kind each episode has made in each domain."""
    found: Counter[tuple[str, str, str]] = Counter()
    for domain in held.domains:
        for entry in held.entries(domain):
            body = entry.body["origin"] if entry.kind == "add" else entry.body
            if "episode_id" in body:
                found[domain, body["episode_id"], entry.kind] += 1
    return found


def as_line(figures: Figures) -> str:
    return json.dumps(figures.to_json(), ensure_ascii=False)
