"""`scripts/deploy.sh --target local`, for real: a good release serves, a broken one gives way to the one before it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

ROOT = Path(__file__).parents[2]
SERVICES = {"ace-app", "ace-embeddings", "ace-reflector"}
MODEL = "ACE_MODEL=openai/nobody\nACE_MODEL_BASE_URL=http://127.0.0.1:9/v1\n"
SHIPPED = ("ace", "alembic.ini", "scripts", "deploy", "pyproject.toml")
SMOKE = ("__init__.py", "conftest.py", "e2e/__init__.py", "e2e/conftest.py", "e2e/servers.py", "e2e/test_smoke.py")


class Site:
    """A checkout of its own, and the machine it is deployed to."""

    def __init__(self, checkout: Path, root: Path, models: Path, port: int) -> None:
        self.checkout, self.root, self.url = checkout, root, f"http://127.0.0.1:{port}"
        ours = {"ACE_DEPLOY_ROOT": str(root), "ACE_DEPLOY_PORT": str(port), "ACE_DEPLOY_PYTHON": sys.executable,
                "ACE_MODELS_DIR": str(models)}  # fmt: skip
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ACE_")}
        self._environment = {**clean, **ours, "GIT_CONFIG_GLOBAL": "/dev/null"}

    def commit(self, message: str) -> str:
        self._git("add", "--all")
        self._git("-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", message)
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *words: str) -> str:
        return subprocess.run(["git", *words], cwd=self.checkout, env=self._environment, check=True,
                              capture_output=True, text=True).stdout  # fmt: skip

    def deploy(self, *words: str, code: int = 0, timeout_s: int = 60) -> str:
        environment = {**self._environment, "ACE_DEPLOY_TIMEOUT_S": str(timeout_s)}
        command = ["scripts/deploy.sh", "shadow", "--target", "local", *words]
        done = subprocess.run(command, cwd=self.checkout, env=environment, capture_output=True, text=True, timeout=300)
        logs = "".join(log.read_text() for log in self.root.glob("logs/*.log"))
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{logs}"
        return done.stdout + done.stderr

    def served(self) -> str:
        """The commit that answers now."""
        return str(httpx.get(f"{self.url}/version", timeout=5).json()["commit"])

    def running(self) -> dict[str, str]:
        """The services that run, and the release each runs."""
        pids = {file.stem: int(file.read_text()) for file in self.root.glob("run/*.pid")}
        return {name: str(Path(f"/proc/{pid}/cwd").readlink()) for name, pid in pids.items() if psutil.pid_exists(pid)}

    def stop(self) -> None:
        for file in self.root.glob("run/*.pid"):
            with suppress(ProcessLookupError):
                os.killpg(int(file.read_text()), signal.SIGKILL)


def two_free_ports() -> int:
    """The lower of two ports side by side: the server's, and the embeddings'."""
    for _ in range(100):
        with socket.socket() as one, socket.socket() as other, suppress(OSError):
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            other.bind(("127.0.0.1", port + 1))
            return port
    raise AssertionError("no two free ports side by side")


@pytest.fixture
def site(tmp_path: Path, models_dir: Path) -> Iterator[Site]:
    checkout = tmp_path / "checkout"
    for name in SHIPPED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        checkout.mkdir(exist_ok=True)
        copy(source, checkout / name)
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "settings.env").write_text(MODEL)
    port = two_free_ports()
    made = Site(checkout, tmp_path / "machine", models_dir, port)
    made._git("init", "--quiet")
    yield made
    made.stop()


def test_a_broken_release_gives_way_to_the_one_before_it(site: Site) -> None:
    good = site.commit("good")
    assert f"{good} serves at {site.url}" in site.deploy()
    assert site.served() == good
    assert site.running() == dict.fromkeys(SERVICES, str((site.root / "current").resolve()))

    health = site.checkout / "ace" / "web" / "health.py"
    health.write_text(health.read_text().replace('PlainTextResponse("ready")', 'PlainTextResponse("not yet", 503)'))
    site.commit("never ready")
    said = site.deploy(code=5, timeout_s=6)
    assert "does not become ready" in said
    assert "rolled back in" in said
    assert site.served() == good
    assert (site.root / "current").resolve().name.endswith(good[:10])
    assert site.running() == dict.fromkeys(SERVICES, str((site.root / "current").resolve()))

    migration = site.checkout / "scripts" / "migrate.sh"
    migration.write_text("#!/bin/sh\nexit 1\n")
    site.commit("cannot migrate")
    assert "nothing was rolled out" in site.deploy(code=1)
    assert site.served() == good

    (site.root / "settings.env").write_text(f"{MODEL}ACE_K=7\n")
    migration.write_text((ROOT / "scripts" / "migrate.sh").read_text())
    shutil.copy(ROOT / "ace" / "web" / "health.py", health)
    better = site.commit("better")
    site.deploy()
    assert site.served() == better
    assert "ACE_K=7" in (site.root / "current" / "release.env").read_text()


def test_a_release_that_fails_its_smoke_test_gives_way(site: Site) -> None:
    (site.checkout / "tests" / "e2e").mkdir(parents=True)
    for name in SMOKE:
        shutil.copy(ROOT / "tests" / name, site.checkout / "tests" / name)
    good = site.commit("good")
    assert "17 passed" in site.deploy()

    advice = site.checkout / "ace" / "services" / "advising.py"
    advice.write_text(advice.read_text().replace('"bullets": bullets,', '"bullets": [],'))
    site.commit("ready, but shows nothing")
    said = site.deploy(code=5)
    assert "the smoke tests failed; rolling back" in said
    assert "test_what_is_taught_is_shown" in said
    assert site.served() == good


def test_a_first_release_that_fails_has_nothing_to_go_back_to(site: Site) -> None:
    (site.checkout / "ace" / "web" / "health.py").write_text("raise SystemExit(3)\n")
    site.commit("ends at once")
    said = site.deploy(code=6, timeout_s=4)
    assert "there is no release before this one" in said


def test_a_dry_run_does_nothing(site: Site) -> None:
    site.commit("good")
    assert "nothing was done" in site.deploy("--dry-run")
    assert not (site.root / "releases").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["moon"], "'moon' is not understood", id="unknown-stage"),
        pytest.param([], "say where to", id="no-stage"),
        pytest.param(["shadow", "--target", "vm"], "use compose, k8s or local", id="unknown-target"),
    ],
)
def test_a_wrong_call_says_what_to_type(words: list[str], says: str) -> None:
    done = subprocess.run([ROOT / "scripts/deploy.sh", *words], capture_output=True, text=True)
    assert (done.returncode, says in done.stderr) == (2, True)
