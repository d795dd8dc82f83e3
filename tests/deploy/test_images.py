"""The image, the compose file and the shell scripts: what a linter finds, and what operators rely on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ace.config import Settings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPOSE = ROOT / "docker-compose.yml"
SHELL = sorted(
    file
    for folder in ("scripts", "deploy", ".ci", "tests/deploy/stand_ins", "tests/docs/stand_ins")
    for file in (ROOT / folder).rglob("*")
    if file.is_file() and (file.suffix == ".sh" or re.match(rb"#!.*sh\n", file.read_bytes()[:40]))
)
OURS = ("ace-migrate", "ace-app", "ace-reflector", "ace-embeddings")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def test_the_dockerfile_has_no_findings() -> None:
    done = subprocess.run([BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", SHELL, ids=lambda file: file.name)
def test_every_shell_script_has_no_findings_and_may_be_run(file: Path) -> None:
    done = subprocess.run([BIN / "shellcheck", "-x", file], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert os.access(file, os.X_OK) == file.read_text().startswith("#!")


def test_the_image_runs_as_nobody_in_particular_with_the_models_inside() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001:10001$", text, re.M)
    assert re.search(r"^HEALTHCHECK", text, re.M)
    assert "ace models pull" in text
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        for name in source.split():
            assert (ROOT / name).exists(), name
            allowed = (ROOT / ".dockerignore").read_text().splitlines()
            assert any(f"!{name}".startswith(line) for line in allowed if line.startswith("!")), f"{name} is ignored"


def test_the_image_installs_what_the_services_need_and_no_more() -> None:
    runtime = set(re.findall(r"^([a-z0-9_.-]+)==(\S+)", (ROOT / "requirements-runtime.lock").read_text(), re.M))
    everything = set(re.findall(r"^([a-z0-9_.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M))
    assert runtime <= everything, "run `make lock`"
    names = {name for name, _ in runtime}
    assert {"psutil", "fastapi", "granian", "faiss-cpu", "psycopg-binary"} <= names
    assert not {"pytest", "mypy", "ruff", "moto"} & names


def test_compose_names_services_and_containers_as_the_runbook_does(services: dict[str, dict[str, Any]]) -> None:
    assert {"ace-app", "ace-db", "ace-embeddings", "ace-reflector"} <= services.keys()
    for name in (*OURS, "ace-db"):
        assert services[name]["container_name"] == name


def test_compose_services_are_locked_down_and_settings_are_real(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS:
        one = services[name]
        assert (one["read_only"], one["user"], one["cap_drop"]) == (True, "10001:10001", ["ALL"])
        ours = {key.removeprefix("ACE_").lower() for key in one["environment"] if key.startswith("ACE_")}
        assert ours <= Settings.model_fields.keys()


def test_compose_migrates_once_before_the_new_code_serves(services: dict[str, dict[str, Any]]) -> None:
    for name in ("ace-app", "ace-reflector"):
        assert services[name]["depends_on"]["ace-migrate"] == {"condition": "service_completed_successfully"}
    assert services["ace-migrate"]["depends_on"]["ace-db"] == {"condition": "service_healthy"}
    assert services["ace-app"]["ports"] == ["127.0.0.1:${ACE_PORT:-8000}:8000"]


def test_the_database_counts_statements_and_finds_the_scripts(services: dict[str, dict[str, Any]]) -> None:
    database = services["ace-db"]
    assert "shared_preload_libraries=pg_stat_statements" in database["command"]
    assert (database["working_dir"], "./scripts:/scripts:ro" in database["volumes"]) == ("/", True)
    init = (ROOT / "deploy/compose/init-db.sh").read_text()
    assert "CREATE ROLE ace LOGIN" in init
    assert "CREATE DATABASE ace OWNER ace" in init


def test_compose_mounts_files_there_are(services: dict[str, dict[str, Any]]) -> None:
    for name, one in services.items():
        for volume in one.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith("./") or source == "./secrets" or (ROOT / source).exists(), (name, source)


def test_no_secret_is_written_down() -> None:
    text = COMPOSE.read_text()
    assert not re.search(r"(PASSWORD|KEY): +[^\s$]", text)


def has_compose() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0


@pytest.mark.skipif(not has_compose(), reason="this docker client has no compose")
def test_docker_reads_the_compose_file() -> None:
    environment = {**os.environ, "ACE_DB_PASSWORD": "x"}
    for profile in ([], ["--profile", "monitoring"]):
        command = ["docker", "compose", "-f", str(COMPOSE), *profile, "config", "--quiet"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_images_crontab_prints_the_schedule_inside_the_server(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ACE_DATA_DIR": str(tmp_path)}
    crontab = ROOT / "deploy/image/crontab"
    done = subprocess.run([crontab, "-l"], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert "*/5 * * * * python -m ace.ops.stage_manager --all" in done.stdout.splitlines(), done.stderr
    assert subprocess.run([crontab, "-e"], env=environment, capture_output=True).returncode == 2


def test_the_probes_tell_good_from_bad(tmp_path: Path) -> None:
    def code(name: str, *words: str) -> int:
        command = [sys.executable, str(ROOT / "scripts" / name), *words]
        return subprocess.run(command, capture_output=True).returncode

    fresh = tmp_path / "alive"
    assert code("fresh.py", str(fresh), "60") == 1
    fresh.touch()
    assert code("fresh.py", str(fresh), "60") == 0
    os.utime(fresh, (0, 0))
    assert code("fresh.py", str(fresh), "60") == 1
    assert code("probe.py", "http://127.0.0.1:9/readyz") == 1
