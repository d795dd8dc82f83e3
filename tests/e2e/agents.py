"""Agents that ask, report and teach over HTTP, and write down what was acknowledged.

most          ask for bullets, report what came of the task, again and again until one of the servers answers
one in ten    send the report once, and never learn what became of it
one in five   teach a lesson and vote on a bullet directly, under an idempotency key, some of them twice
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

DOMAINS = ("north", "south")
WORDS = [
    "invoice",
    "ledger",
    "payroll",
    "freight",
    "tariff",
    "voucher",
    "audit",
    "rebate",
    "warehouse",
    "contract",
    "customs",
    "deposit",
    "pension",
    "lease",
    "royalty",
    "dividend",
    "mortgage",
    "premium",
    "refund",
    "budget",
    "treasury",
    "auction",
    "patent",
    "licence",
    "harvest",
    "turbine",
    "glacier",
    "orchestra",
    "vaccine",
    "reactor",
    "satellite",
    "orchard",
    "cathedral",
    "pipeline",
    "algorithm",
    "compass",
    "telescope",
    "quarry",
    "monsoon",
    "parliament",
]
PATIENCE_S = 120.0
AGAIN = {429, 500, 502, 503, 504}  # what a client tries again


@dataclass
class Ledger:
    """What the agents know at the end."""

    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    unanswered: set[tuple[str, str]] = field(default_factory=set)
    taught: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # episode id -> the answer
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Unanswered(Exception):
    """The request was given up."""


class Agent(threading.Thread):
    """Takes numbers from the queue, and does for each what the number says; the same for the same seed."""

    def __init__(
        self, work: queue.SimpleQueue[int], urls: Sequence[str], hot: dict[str, str], ledger: Ledger, seed: int
    ):
        super().__init__(daemon=True)
        self._work, self._urls, self._hot, self._ledger, self._seed = work, urls, hot, ledger, seed
        self._random = random.Random(seed)
        self._client = httpx.Client(timeout=10)

    def run(self) -> None:
        while True:
            try:
                number = self._work.get_nowait()
            except queue.Empty:
                return
            self._random = random.Random(f"{self._seed}/{number}")
            try:
                self.report(number)
                if number % 5 == 0:
                    self.teach(number)
            except Unanswered as error:
                with self._ledger.lock:
                    self._ledger.wrong.append(str(error))

    def report(self, number: int) -> None:
        """Ask for bullets, and report the outcome with the receipt."""
        domain, own = DOMAINS[number % 2], f"report-{number}"
        question = f"Which column of the {' '.join(self._random.sample(WORDS, 4))} file holds the number?"
        context = self.ask(f"/v1/domains/{domain}/context", {"task": question, "k": 3})
        right = self._random.random() < 0.8
        outcome = {"correct": right, "verifier": "exact_match", "expected": f"column {number % 23}"}
        body = {"episode_id": own, "task": question, "receipt": context["receipt"], "answer": "column 1",
                "cited": [bullet["id"] for bullet in context["bullets"][:2]], "outcome": outcome}  # fmt: skip
        path, once = f"/v1/domains/{domain}/episodes", self._random.random() < 0.1
        try:
            self.ask(path, body, tries=1 if once else None)
            kept = self._ledger.acknowledged
        except Unanswered:
            if not once:
                raise
            kept = self._ledger.unanswered
        with self._ledger.lock:
            kept.add((domain, own))

    def teach(self, number: int) -> None:
        """A lesson and a vote, directly; the same request again gets the same answer."""
        domain, own = DOMAINS[number % 2], f"direct-{number}"
        lesson = f"Compare the {' '.join(self._random.sample(WORDS, 4))} before you answer."
        vote = {"bullet_id": self._hot[domain], "tag": self._random.choice(["helpful", "harmful"])}
        body = {"episode_id": own, "insights": [{"content": lesson}], "votes": [vote]}
        path = f"/v1/domains/{domain}/insights"
        answer = self.ask(path, body, key=own)
        if self._random.random() < 0.3 and (second := self.ask(path, body, key=own)) != answer:
            self._ledger.wrong.append(f"{own} was answered {answer}, and then {second}")
        with self._ledger.lock:
            self._ledger.taught[domain, own] = answer

    def ask(self, path: str, body: Any, *, key: str | None = None, tries: int | None = None) -> dict[str, Any]:
        """What one of the servers answers. Raises Unanswered after so many tries, or when patience is at an end."""
        headers, end, said = {"Idempotency-Key": key} if key else {}, time.monotonic() + PATIENCE_S, "nothing"
        while time.monotonic() < end and tries != 0:
            tries = None if tries is None else tries - 1
            try:
                response = self._client.post(self._random.choice(self._urls) + path, json=body, headers=headers)
                said = str(response.status_code)
            except httpx.TransportError as error:
                response, said = None, type(error).__name__
            with self._ledger.lock:
                self._ledger.statuses[said] += 1
            if response is not None and response.is_success:
                answer: dict[str, Any] = response.json()
                return answer
            if response is not None and response.status_code not in AGAIN:
                raise Unanswered(f"{path} was answered {response.status_code}: {response.text}")
            time.sleep(self._random.uniform(0.05, 0.3))
        raise Unanswered(f"{path} was not answered; the last was {said}")
