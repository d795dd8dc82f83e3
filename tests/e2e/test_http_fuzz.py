"""Requests nobody would write by hand, against a real server: schemathesis makes them from /openapi.json.

Every answer is held against the description: status, media type, headers, schema; what breaks the schema must be
refused, what fits it accepted, a key asked for wherever one is said to be needed. Each operation gets some requests by
chance, with --full many, besides those that are made from its description without any.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.servers import Server, free_port, serving, stop, wait_until

EXAMPLES, ALL_EXAMPLES = 6, 200
DOMAIN = "fuzzed"
CONFIG = """
headers = {{ Authorization = "Bearer {key}" }}
[generation]
database = "none"
with-security-parameters = false
allow-x00 = {nul}
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429]
[checks.positive_data_acceptance]
enabled = {acceptance}
[dictionaries]
domains = {{ values = ["{domain}"] }}
bullets = {{ values = {bullets} }}
[parameters]
"path.domain" = {{ dictionary = "domains", probability = 0.6 }}
"path.bullet_id" = {{ dictionary = "bullets", probability = 0.6 }}
# Rules between fields, or between a request and what is stored, which a schema cannot say:
[[operations]]
include-path-regex = "/(episodes|promote|quarantine|archive|restore|playbook|diff|rollback|purge)$"
checks.positive_data_acceptance.enabled = false
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    unlimited = {"ACE_WRONG_KEY_RATE_LIMIT": "1000000/second", "ACE_LOG_LEVEL": "warning"}
    home = tmp_path_factory.mktemp("fuzz")
    with serving(home, "--workers", "2", ACE_MODELS_DIR=str(models_dir), **unlimited) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return re.findall(r"ace_\w+", server.ace("keys", "create", "--role", "admin"))[0]


@pytest.fixture(scope="module")
def bullets(server: Server, key: str) -> list[str]:
    lessons = [
        {"content": f"Ask {name} before you send the {thing}."} for name in "ABC" for thing in ("parcel", "bill")
    ]
    taught = server.post(f"/v1/domains/{DOMAIN}/insights", {"insights": lessons}, key=key).json()
    return [one["bullet_id"] for one in taught["outcomes"]]


def fuzz(url: str, home: Path, *options: str, config: str = "") -> subprocess.CompletedProcess[str]:
    (home / "fuzz.toml").write_text(config)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(home / "fuzz.toml"), "--no-color", "run"]
    words = [*command, f"{url}/openapi.json", "--continue-on-failure", *options]
    return subprocess.run(words, cwd=home, capture_output=True, text=True, check=False)


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = ["granian", "--factory", "--interface", "asgi", "--port", str(port), "tests.e2e.faulty:create"]
    with (tmp_path / "faulty.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/sound").is_success
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, 30)
        yield url
    finally:
        stop(process)


def test_the_fuzzer_finds_what_was_made_wrong_on_purpose(faulty: str, tmp_path: Path) -> None:
    found = fuzz(faulty, tmp_path, "--max-examples", "100", "--seed", "1")
    assert found.returncode == 1, found.stdout + found.stderr
    for path, mistake in (("/nul", "ST101"), ("/status", "ST103"), ("/type", "ST105")):
        part = re.split(r"\n_+ ", found.stdout.split(f"__ GET {path} __")[-1])[0]
        assert mistake in part, found.stdout
    assert " GET /sound " not in found.stdout


REVOKES = "DELETE /v1/keys/{key_id}"  # beside operations that list keys the fuzzer would end its own
RUNS: list[Any] = [
    pytest.param(["--exclude-name", REVOKES], "true", "false", id="with-nul"),
    pytest.param(["--exclude-name", REVOKES, "--phases", "fuzzing"], "false", "true", id="what-fits-is-accepted"),
    pytest.param(["--include-name", REVOKES], "true", "false", id="revoking"),
]


@pytest.mark.parametrize(("options", "nul", "acceptance"), RUNS)
def test_whatever_is_sent_is_answered_as_described(
    server: Server,
    key: str,
    bullets: list[str],
    tmp_path: Path,
    options: list[str],
    nul: str,
    acceptance: str,
    pytestconfig: pytest.Config,
) -> None:
    examples = str(ALL_EXAMPLES if pytestconfig.getoption("--full") else EXAMPLES)
    config = CONFIG.format(key=key, nul=nul, acceptance=acceptance, domain=DOMAIN, bullets=json.dumps(bullets))
    found = fuzz(server.url, tmp_path, "--max-examples", examples, *options, config=config)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "returned only 401/403" not in found.stdout, found.stdout
    assert not re.findall(r"request_failed|Traceback", server.log.read_text())
    assert server.ask("GET", f"/v1/domains/{DOMAIN}/journal/verification", key=key).json()["sound"] is True
