"""`scripts/deploy.sh` to compose and Kubernetes: the order of what it does, and the way back, told by stand-ins."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).parent / "stand_ins"
KUBECTL = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl renders the manifests, and is not on this machine")


@dataclass(frozen=True)
class Deployed:
    code: int
    said: str
    calls: list[str]
    env_file: str
    applied: str


Deploy = Callable[..., Deployed]


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    """Runs the script in a copy of what it needs, with the stand-ins first on PATH."""
    for name in ("scripts", "deploy"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / ".env").write_text("ACE_DB_PASSWORD=secret\nACE_IMAGE=ace-playbook:before\n")
    (tmp_path / "revision").write_text("7\n")
    calls = tmp_path / "calls"

    def run(*words: str, **environment: str) -> Deployed:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ACE_")}
        ours = {"PATH": f"{STAND_INS}:{os.environ['PATH']}", "CALLS": str(calls), "ACE_COMMIT": "c0ffee0123456789",
                "REVISION": str(tmp_path / "revision"), "REAL_KUBECTL": str(KUBECTL)}  # fmt: skip
        command = [tmp_path / "scripts" / "deploy.sh", *words]
        done = subprocess.run(command, env={**clean, **ours, **environment}, capture_output=True, text=True, timeout=60)
        applied = tmp_path / "calls.applied"
        return Deployed(
            code=done.returncode,
            said=done.stdout + done.stderr,
            calls=calls.read_text().splitlines() if calls.exists() else [],
            env_file=(tmp_path / ".env").read_text(),
            applied=applied.read_text() if applied.exists() else "",
        )

    return run


def order(calls: list[str], *wanted: str) -> None:
    """These words occur in calls, one after the other."""
    position = 0
    for words in wanted:
        found = [number for number, call in enumerate(calls) if number >= position and words in call]
        assert found, f"no {words!r} from call {position} on:\n" + "\n".join(calls)
        position = found[0] + 1


NEW, OLD = "[ace-playbook:c0ffee012345]", "[ace-playbook:before]"
UP = "up --detach --no-deps --wait --wait-timeout 180 ace-embeddings ace-app ace-reflector"


def test_compose_builds_migrates_and_switches(deploy: Deploy) -> None:
    done = deploy("production", RUNNING_IMAGE="ace-playbook:before")
    assert done.code == 0, done.said
    order(done.calls, "docker build --build-arg COMMIT=c0ffee0123456789", f"--wait ace-db {NEW}",
          f"run --rm ace-migrate {NEW}", f"{UP} {NEW}")  # fmt: skip
    assert "ACE_IMAGE=ace-playbook:c0ffee012345\nACE_ENV=production\n" in done.env_file
    assert "ACE_DB_PASSWORD=secret\n" in done.env_file


def test_compose_goes_back_to_the_image_that_served(deploy: Deploy) -> None:
    done = deploy("production", RUNNING_IMAGE="ace-playbook:before", FAIL_ON=f"{UP} {NEW}")
    assert done.code == 5, done.said
    order(done.calls, f"{UP} {NEW}", f"{UP} {OLD}")
    assert "rolled back in" in done.said
    assert "ACE_IMAGE=ace-playbook:before\n" in done.env_file


def test_compose_leaves_everything_when_it_cannot_migrate(deploy: Deploy) -> None:
    done = deploy("production", RUNNING_IMAGE="ace-playbook:before", FAIL_ON="run --rm ace-migrate")
    assert done.code == 1, done.said
    assert not [call for call in done.calls if "--no-deps" in call]
    assert "nothing was rolled out" in done.said


def test_compose_goes_back_by_hand_to_an_image_that_is_here(deploy: Deploy) -> None:
    done = deploy("production", RUNNING_IMAGE="ace-playbook:bad", ACE_IMAGE="ace-playbook:before")
    assert done.code == 0, done.said
    assert not [call for call in done.calls if "docker build" in call or "docker pull" in call]
    order(done.calls, f"run --rm ace-migrate {OLD}", f"{UP} {OLD}")


def test_compose_that_has_nothing_to_go_back_to_says_so(deploy: Deploy) -> None:
    done = deploy("production", FAIL_ON=UP)
    assert done.code == 6, done.said
    assert "there is no release before this one" in done.said


@needs_kubectl
def test_kubernetes_migrates_first_then_rolls_out_and_waits(deploy: Deploy) -> None:
    done = deploy("staging", "--target", "k8s", ACE_IMAGE="registry.example/ace:42")
    assert done.code == 0, done.said
    order(done.calls, "delete job ace-migrate --ignore-not-found", "in (config,migration)",
          "wait --for=condition=complete", "notin (config,migration)",
          "rollout status deployment/ace-embeddings", "rollout status deployment/ace-app",
          "rollout status deployment/ace-reflector", "port-forward service/ace-app")  # fmt: skip
    assert set(re.findall(r"image: (.+)", done.applied)) == {"registry.example/ace:42"}
    assert all("--namespace ace-staging" in call for call in done.calls if "apply" not in call)


@needs_kubectl
def test_kubernetes_goes_back_to_the_revision_that_served(deploy: Deploy) -> None:
    failing = "rollout status deployment/ace-app"
    done = deploy("staging", "--target", "k8s", ACE_IMAGE="registry.example/ace:42", FAIL_ON=failing)
    assert done.code == 5, done.said
    order(done.calls, failing, "rollout undo deployment/ace-embeddings --to-revision=7",
          "rollout undo deployment/ace-app --to-revision=7", "rollout undo deployment/ace-reflector --to-revision=7",
          failing)  # fmt: skip


@needs_kubectl
def test_kubernetes_shows_why_a_migration_failed_and_leaves_the_rest(deploy: Deploy) -> None:
    failing = "wait --for=condition=complete"
    done = deploy("staging", "--target", "k8s", ACE_IMAGE="registry.example/ace:42", FAIL_ON=failing)
    assert done.code == 1, done.said
    assert "the job's own words" in done.said
    assert not [call for call in done.calls if "notin" in call or "rollout" in call]


@needs_kubectl
@pytest.mark.parametrize("target", ["compose", "k8s"])
def test_a_dry_run_changes_nothing(deploy: Deploy, target: str) -> None:
    done = deploy("shadow", "--dry-run", ACE_DEPLOY_TARGET=target, ACE_IMAGE="registry.example/ace:42")
    assert done.code == 0, done.said
    assert "nothing was done" in done.said
    assert "migrat" in done.said
    looking = re.compile(r"docker (inspect|image inspect|compose version)|get deployment")
    assert [call for call in done.calls if not looking.search(call)] == []


def test_kubernetes_wants_an_image(deploy: Deploy) -> None:
    done = deploy("staging", "--target", "k8s")
    assert (done.code, "ACE_IMAGE" in done.said) == (1, True)
