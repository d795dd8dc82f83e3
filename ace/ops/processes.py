"""The running processes of ACE, seen from outside: which they are, what memory they hold, how it grows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from ace.errors import InvalidInput, NotFound, StoreUnavailable

TIMEOUT_S = 5.0
TOLD = ("process_resident_memory_bytes", "faiss_index_size_vectors", "database_connections_active")
ROLES = (("ace-reflector", "ace-reflector"), ("workers.reflection", "ace-reflector"),
         ("ace-embeddings", "ace-embeddings"), ("workers.embedding", "ace-embeddings"),
         ("granian", "ace serve"), ("ace.web", "ace serve"))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One process at one moment: bytes resident, and bytes nobody shares with it."""

    role: str
    resident: int
    own: int


@dataclass(frozen=True, kw_only=True)
class Growth:
    """One process at two moments: what it holds at the second, and how much more that is."""

    pid: int
    role: str
    resident: int
    own: int
    grown: int


def role_of(command: Sequence[str]) -> str | None:
    """Which of our services a command line starts; None for any other program."""
    words = [os.path.basename(word) for word in command]  # noqa: PTH119  most words are no paths
    if "serve" in words and ("ace" in words[: words.index("serve")] or "__main__.py" in words):
        return "ace serve"
    return next((role for mark, role in ROLES if any(mark in word for word in words[:4])), None)


def running(pid: int | None = None) -> list[int]:
    """The processes of our services and their children, or one process and its children. Raises NotFound."""
    if pid is not None and not psutil.pid_exists(pid):
        raise NotFound(f"There is no process {pid}. Leave --pid out to look for the server.")
    roots = [pid] if pid is not None else [one.pid for one in psutil.process_iter() if role_of(_command(one))]
    found = dict.fromkeys(roots)
    for root in roots:
        found.update(dict.fromkeys(_children(root)))
    return [one for one in found if one != os.getpid()]


def sample(pids: Iterable[int]) -> dict[int, Sample]:
    """What each process that still runs holds now."""
    return {pid: taken for pid in pids if (taken := _sample(pid)) is not None}


def growth(first: Mapping[int, Sample], then: Mapping[int, Sample]) -> list[Growth]:
    """The processes that lived through both samples, the largest first."""
    lived = [
        Growth(pid=pid, role=now.role, resident=now.resident, own=now.own, grown=now.resident - first[pid].resident)
        for pid, now in then.items()
        if pid in first
    ]
    return sorted(lived, key=lambda one: -one.resident)


def read_metrics(url: str) -> dict[str, float]:
    """What the server at `url` says of its memory. Raises InvalidInput, StoreUnavailable."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/metrics", timeout=TIMEOUT_S).raise_for_status()
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise InvalidInput("--url", str(error), "Write http://host:port") from error
    except httpx.HTTPError as error:
        raise StoreUnavailable(f"{url}/metrics does not answer: {error}. Check that the server runs there.") from error
    samples = [one for family in text_string_to_metric_families(answer.text) for one in family.samples]
    return {name: sum(one.value for one in samples if one.name == name) for name in TOLD}


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def _sample(pid: int) -> Sample | None:
    try:
        process = psutil.Process(pid)
        memory = process.memory_full_info()
        return Sample(role=role_of(process.cmdline()) or process.name(), resident=memory.rss, own=memory.uss)
    except psutil.Error:
        return None
