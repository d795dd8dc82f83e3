"""Is the server that was just deployed the one we meant? A few seconds, nothing but HTTP, a domain of its own.

    ACE_SMOKE_URL       the server; without it (and without --base-url) one is started here, for this test alone
    ACE_SMOKE_KEY       a key whose role is `write` or more, once the server has keys
    ACE_SMOKE_DOMAIN    the domain that is written to; default: smoke-test

The same lesson is taught each time, so the domain has one bullet however often this runs. The report has neither a
verdict nor a trace: a reflector is done with it without asking a model.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.servers import serving

DOMAIN = os.environ.get("ACE_SMOKE_DOMAIN", "smoke-test")
LESSON = "Smoke test: state the unit of a measured length before comparing it with another."
METRICS = (
    "playbook_retrieval_latency_ms", "faiss_search_latency_ms", "batch_merge_duration_seconds", "http_requests_total",
    "circuit_breaker_state", "circuit_breaker_failures_total", "llm_api_errors_total", "process_resident_memory_bytes",
    "faiss_index_size_vectors", "database_connections_active", "bullets_added_total", "bullets_promoted_total",
    "insights_processed_total",
)  # fmt: skip


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server to look at."""
    given = request.config.getoption("--base-url") or os.environ.get("ACE_SMOKE_URL")
    if given:
        yield given.rstrip("/")
        return
    models_dir = request.getfixturevalue("models_dir")
    with serving(tmp_path_factory.mktemp("smoke"), ACE_MODELS_DIR=str(models_dir)) as running:
        yield running.url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    key = os.environ.get("ACE_SMOKE_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False) as made:
        yield made


def answer(response: httpx.Response, *codes: int) -> Any:
    assert response.status_code in (codes or (200,)), f"{response.request.url}: {response.status_code} {response.text}"
    return response.json()


def test_it_is_healthy(client: httpx.Client) -> None:
    health = answer(client.get("/health"))
    assert set(health) == {"status", "version", "database", "faiss", "circuit_breakers"}
    assert health["status"] in ("healthy", "degraded"), health
    assert (health["database"], health["faiss"]) == ("connected", "ready")
    assert set(health["circuit_breakers"]) == {"generator", "reflector"}


def test_it_is_alive_and_ready(client: httpx.Client) -> None:
    assert [client.get(path).text for path in ("/livez", "/readyz")] == ["alive", "ready"]


def test_it_says_which_release_and_schema_it_is(client: httpx.Client) -> None:
    found = answer(client.get("/version"))
    assert found["version"].startswith("v")
    assert found["schema"]


@pytest.mark.parametrize("name", METRICS)
def test_it_tells_the_metric(client: httpx.Client, name: str) -> None:
    text = client.get("/metrics").text
    assert f"# TYPE {name} " in text


def test_what_is_taught_is_shown_reported_on_and_journalled(client: httpx.Client) -> None:
    domain = f"/v1/domains/{DOMAIN}"
    taught = client.post(f"{domain}/insights", json={"insights": [{"content": LESSON}]})
    if taught.status_code == 401 and not os.environ.get("ACE_SMOKE_KEY"):
        pytest.skip("the server asks for an API key: put one into ACE_SMOKE_KEY to test more than its health")
    (own,) = [outcome["bullet_id"] for outcome in answer(taught)["outcomes"]]

    asked = {"task": "Which of these measured lengths is greater? State the unit.", "traffic": "shadow"}
    context = answer(client.post(f"{domain}/context", json=asked))
    assert own in [bullet["id"] for bullet in context["bullets"]]
    assert LESSON in context["text"]

    report = {"receipt": context["receipt"], "task": asked["task"], "answer": f"smoke {uuid.uuid4().hex[:8]}"}
    taken = answer(client.post(f"{domain}/episodes", json=report), 202)
    assert taken["new"]
    assert answer(client.get(f"{domain}/episodes/{taken['episode_id']}"))["state"] in ("queued", "leased", "done")

    checked = answer(client.get(f"{domain}/journal/verification"))
    assert (checked["sound"], checked["fault"]) == (True, "")
    assert checked["entries"] >= 1
