"""The wheel, built and installed where there is no checkout: what a user of `pip install` has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from functools import cached_property
from pathlib import Path

import pytest

from ace.repositories.schema import HEAD, REVISIONS, SCRIPTS

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """What a command prints; it knows nothing of this process's settings."""
    clean = {name: os.environ[name] for name in ("PATH", "LANG", "UV_CACHE_DIR") if name in os.environ}
    done = subprocess.run(command, cwd=cwd, env={**clean, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    (made,) = folder.glob("*.whl")
    return made


class Installed:
    """An environment with the wheel in it; the libraries it needs are those of this one, the checkout is not there."""

    def __init__(self, wheel: Path, root: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", root / "venv")
        self.bin, self.empty = root / "venv" / "bin", root / "a folder"
        self.empty.mkdir()
        self.packages = Path(
            run(self.bin / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        )
        install = ("install", "--quiet", "--no-index", "--no-deps", wheel)
        run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.bin / "python", *install)
        (self.packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")

    def ace(self, *words: str, url: str) -> str:
        return run(self.bin / "ace", *words, cwd=self.empty, ACE_DATABASE_URL=url)

    def alembic(self, *words: str, url: str) -> str:
        python = (self.bin / "python", "-m", "alembic", "-c", self.ini)
        return run(*python, *words, cwd=self.empty, ACE_DATABASE_URL=url)

    @cached_property
    def ini(self) -> str:
        """Where the command says that it is."""
        return self.ace("db", "alembic-ini", url="").strip()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(wheel, tmp_path_factory.mktemp("installed"))


def test_it_holds_the_package_with_its_migrations_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        names = set(files.namelist())
    migrations = {
        path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*") if "__pycache__" not in path.parts
    }
    assert {f"ace/repositories/migrations/{name}" for name in migrations if "." in name} <= names
    assert {"ace/py.typed", "ace/repositories/migrations/alembic.ini"} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"ace", "ace_playbook_server"}


def test_ace_brings_an_empty_database_to_the_newest_schema(installed: Installed, blank_url: str) -> None:
    assert installed.ace("db", "upgrade", url=blank_url) == f"schema {HEAD}\n"
    assert json.loads(installed.ace("db", "current", "--json", url=blank_url))["at_head"] is True
    history = json.loads(installed.ace("db", "history", "--json", url=blank_url))
    assert [row["revision"] for row in history] == [*REVISIONS]
    installed.ace("db", "downgrade", "-1", url=blank_url)
    installed.ace("db", "upgrade", "+1", url=blank_url)
    assert installed.ace("keys", "create", url=blank_url).startswith("ace_")
    installed.ace("journal", "verify", url=blank_url)


def test_alembic_does_so_from_any_folder(installed: Installed, blank_url: str) -> None:
    assert Path(installed.ini).is_relative_to(installed.packages)
    installed.alembic("upgrade", "head", url=blank_url)
    assert f"{HEAD} (head)" in installed.alembic("current", url=blank_url)
    assert f"-> {HEAD} (head)" in installed.alembic("history", url=blank_url)
    installed.alembic("downgrade", "base", url=blank_url)
    assert HEAD not in installed.alembic("current", url=blank_url)
    assert "CREATE TABLE playbook_bullets" in installed.alembic("upgrade", "head", "--sql", url=blank_url)
