"""What is kept is for its owner alone, whatever the umask was and whoever made it before."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ace.repositories.database import Database
from ace.repositories.schema import require_head
from ace.system import private
from tests.e2e.conftest import Ace
from tests.e2e.servers import serving, wait_until


def exposed(folder: Path) -> list[str]:
    """Every file and folder of ours, this one too, with which others may do something; model files apart.

    A server at work replaces its files meanwhile: what is gone when it is looked at is exposed to nobody.
    """
    found = [Path(place, name) for place, folders, files in os.walk(folder) for name in (*folders, *files)]
    ours = [folder, *(path for path in found if "models" not in path.parts)]
    return sorted(f"{path} {mode:o}" for path in ours if (mode := mode_of(path)) & private.OTHERS)


def mode_of(path: Path) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0


@pytest.fixture
def umask() -> Iterator[None]:
    """The most careless there is."""
    before = os.umask(0)
    yield
    os.umask(before)


def run(ace: Ace, *words: str) -> None:
    """In a process started here, so that it has this umask."""
    done = ace.start(*words)
    _, problem = done.communicate()
    assert done.returncode == 0, problem


@pytest.mark.usefixtures("umask")
def test_whatever_is_kept_is_made_for_its_owner_alone(ace: Ace) -> None:
    """Database, runs with reports, indexes, anchors and their key, backups, metrics, a server's and a worker's."""
    run(ace, "learn", ace.tasks("tasks.jsonl", ["amber", "birch"]), "--domain", "shop", "--run", "first")
    run(ace, "report", "first")
    run(ace, "journal", "anchor")
    run(ace, "db", "backup")
    run(ace, "worker", "--once")
    settings = {name: value for name, value in ace.environment.items() if name.startswith("ACE_")}
    data = ace.home / "data"
    with serving(ace.home, **settings) as server:
        context = server.post("/v1/domains/shop/context", {"task": "the code of item amber"})
        assert context.json()["bullets"]
        assert {"ace.db", "ace.db-wal", "indices", "metrics", "runs"} <= {path.name for path in data.iterdir()}
        assert exposed(data) == []
    kept = {path.name for path in data.iterdir()}
    assert {"anchor.key", "anchors.jsonl", "backups", "reflector.alive"} <= kept
    known = private.FILES | private.FOLDERS | {name for name in kept if name.startswith(private.DATABASE)}
    assert kept <= known, "private.FILES or FOLDERS should name it"
    assert exposed(data) == []


@pytest.mark.usefixtures("umask")
def test_what_a_user_asked_for_elsewhere_has_the_modes_of_the_umask(ace: Ace) -> None:
    run(ace, "learn", ace.tasks("tasks.jsonl", ["amber"]), "--domain", "shop", "--run", "first")
    run(ace, "report", "first", "--out", "report.html")
    run(ace, "playbook", "export", "--domain", "shop", "--all", "--out", "playbook.json")
    assert [(ace.home / name).stat().st_mode & 0o777 for name in ("report.html", "playbook.json")] == [0o666, 0o666]


@pytest.fixture
def careless(ace: Ace) -> Path:
    """A data folder as an earlier release may have left it, for everybody to read and write."""
    ace("learn", ace.tasks("tasks.jsonl", ["amber"]), "--domain", "shop", "--run", "first")
    data = ace.home / "data"
    with sqlite3.connect(data / "ace.db") as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE scratch (n)")
        for place, folders, files in os.walk(data):
            for name in (".", *folders, *files):
                Path(place, name).chmod(0o777 if name == "." or name in folders else 0o666)
        assert (data / "ace.db-wal").stat().st_mode & private.OTHERS
    connection.close()
    return data


def test_a_server_restricts_what_it_finds_open(ace: Ace, careless: Path) -> None:
    (careless / "indices").mkdir(mode=0o700, exist_ok=True)
    (careless / "indices" / "left.open").touch(0o644)
    settings = {name: value for name, value in ace.environment.items() if name.startswith("ACE_")}
    with serving(ace.home, **settings) as server:
        wait_until(lambda: server.ask("GET", "/readyz").status_code == 200, 20)
        assert exposed(careless) == []


def test_any_command_restricts_the_database_and_a_run_what_else_was_exposed(ace: Ace, careless: Path) -> None:
    ace("playbook", "show", "--domain", "shop")
    assert not [line for line in exposed(careless) if private.DATABASE in line]
    ace("eval", ace.tasks("tasks.jsonl", ["amber"]), "--domain", "shop", "--run", "second")
    assert exposed(careless) == []


def test_a_database_elsewhere_is_closed_and_its_folder_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    file = folder / "own.db"
    file.touch(0o644)
    database = require_head(Database(f"sqlite:///{file}"))
    database.close()
    assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o755)


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]}


def test_in_a_folder_with_other_things_they_and_it_are_left_alone(tmp_path: Path) -> None:
    """A project's own folder may have runs and metrics of its own."""
    home = tmp_path / "project"
    for folder in ("runs/mine", "runs/theirs", "metrics", "indices"):
        (home / folder).mkdir(parents=True)
    for file in (
        "runs/mine/run.json",
        "runs/theirs/log",
        "metrics/page.html",
        "indices/a.faiss",
        "ace.db",
        "script.sh",
    ):
        (home / file).touch()
    for path in (home, *home.rglob("*")):
        path.chmod(0o755)
    private.restrict_data(home, everything=True)
    restricted = {name for name, mode in modes(home).items() if mode == 0o700}
    assert restricted == {"runs/mine", "runs/mine/run.json", "indices", "indices/a.faiss", "ace.db"}


@pytest.mark.parametrize("link", ["runs", "runs/first"])
def test_what_a_link_leads_to_is_left_alone(tmp_path: Path, link: str) -> None:
    outside, home = tmp_path / "outside", tmp_path / "home"
    outside.mkdir()
    (outside / "page.html").touch()
    for path in (outside, outside / "page.html"):
        path.chmod(0o755)
    (home / link).parent.mkdir(parents=True)
    (home / link).symlink_to(outside)
    private.restrict_data(home, everything=True)
    assert set(modes(outside).values()) == {0o755}


def test_missing_folders_above_are_made_private_and_those_there_stay(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private.make_folder(tmp_path / "a" / "b")
    assert modes(tmp_path) == {".": 0o755, "a": 0o700, "a/b": 0o700}
