"""The server promotes by itself: two server processes, one of them leads, and another takes its place when it dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from ace.models.playbook import PlaybookStage
from ace.repositories.database import Database
from ace.repositories.lease_repository import LeaseRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.utils.stage_schedule import LEASE
from tests.playbooks import DOMAIN, add, helpful, write

PATIENCE_S = 120.0


@pytest.fixture
def server(sqlite_url: str, data_dir: Path, models_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "ACE_DATABASE_URL": sqlite_url,
        "ACE_DATA_DIR": str(data_dir),
        "ACE_MODELS_DIR": str(models_dir),
        "ACE_STAGE_INTERVAL_S": "0.3",
        "ACE_PROMOTION_HELPFUL_MIN": "1",
        "ACE_PROMOTION_RATIO_MIN": "1",
    }
    command = [sys.executable, "-m", "ace", "serve", "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(command, env={**os.environ, **settings}, start_new_session=True)
    yield process
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def test_the_server_promotes_by_itself_whoever_leads(server: subprocess.Popen[bytes], sqlite_url: str) -> None:
    database = Database(sqlite_url)
    store, leases = PlaybookRepository(database), LeaseRepository(database)

    def leader() -> int | None:
        holder = leases.holder(LEASE, now=time.time())
        return int(holder.split(":")[1]) if holder else None

    def promotes(text: str) -> None:
        (own,) = add(store, text)
        write(store, helpful(own, "e"))
        until(lambda: store.get_many(DOMAIN, [own])[0].stage == PlaybookStage.STAGING)

    promotes("learned before")
    first = leader()
    assert first in {child.pid for child in psutil.Process(server.pid).children(recursive=True)}
    os.kill(first, signal.SIGKILL)
    promotes("learned after the leader was killed")
    assert leader() not in (None, first)
    last = leader()
    server.terminate()
    server.wait(30)
    assert leader() is None, "a server told to stop gives the lease back"
    assert last is not None
    database.close()
