"""Every metric of the contract moves when the thing happens: real store, index, HTTP, breakers and processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dspy
import psycopg
import pytest

from ace.bootstrap import App
from ace.config import get_settings, load_settings
from ace.core.gates import Gate
from ace.errors import ModelUnreachable
from ace.models.insight import Delta, Insight
from ace.models.plan import Archive, Promote
from ace.models.playbook import PlaybookStage, Section
from ace.repositories import postgres, tables
from ace.repositories.database import Database, get_database, open_connections
from ace.repositories.statements import insert
from ace.services.staging import Staging
from ace.testing.embedder import HashEmbedder
from ace.testing.llm import ScriptedLLM, say, status
from ace.utils import faiss_index, llm_circuit_breaker, metrics
from ace.utils.llm_adapter import CompactAdapter
from ace.utils.llm_client import language_model
from ace.utils.llm_errors import KINDS, kind_of
from ace.utils.metrics_catalogue import BY_NAME, FAMILIES, Kind, Source
from ace.web.app import create
from tests.metrics import told
from tests.playbooks import DOMAIN, add, helpful, write

CONTRACT = {
    "playbook_retrieval_latency_ms", "faiss_search_latency_ms", "batch_merge_duration_seconds", "http_requests_total",
    "circuit_breaker_state", "circuit_breaker_failures_total", "llm_api_errors_total", "process_resident_memory_bytes",
    "faiss_index_size_vectors", "database_connections_active", "bullets_added_total", "bullets_promoted_total",
    "insights_processed_total",
}  # fmt: skip


class Wired(App):
    """The application as it is wired, with an embedder that needs no files."""

    embedder = HashEmbedder()


@dataclass
class Moved:
    """What moved between two looks."""

    before: dict[str, float]

    def by(self, sample: str) -> float:
        return told().get(sample, 0.0) - self.before.get(sample, 0.0)


@pytest.fixture
def app(data_dir: Path) -> Iterator[App]:
    metrics.enable(data_dir)
    llm_circuit_breaker.default_protection.cache_clear()
    faiss_index.get_faiss_manager.cache_clear()
    yield Wired(load_settings(dedupe="cosine"))
    metrics.disable()
    llm_circuit_breaker.default_protection.cache_clear()
    faiss_index.get_faiss_manager.cache_clear()


def delta(episode: str, *texts: str) -> Delta:
    return Delta(episode_id=episode, insights=tuple(Insight(content=text, section=Section.STRATEGY) for text in texts))


def test_every_name_of_the_runbook_exists() -> None:
    assert set(BY_NAME) >= CONTRACT
    assert all(name in CONTRACT or name.startswith("ace_") for name in BY_NAME)


def test_every_metric_is_told_before_anything_has_happened(app: App) -> None:
    found = set(told())
    for family in FAMILIES:
        if not family.labels or family.source == Source.DATABASE:
            suffix = "_count" if family.kind == Kind.HISTOGRAM else ""
            assert any(sample.startswith(family.name + suffix) for sample in found), family.name


def test_no_metric_is_labelled_by_what_has_no_end() -> None:
    few = {
        "method",
        "route",
        "status",
        "name",
        "state",
        "kind",
        "model",
        "type",
        "stage",
        "outcome",
        "family",
        "reason",
        "action",
    }
    assert {label for family in FAMILIES for label in family.labels} <= few


def test_a_merge_is_timed_and_its_insights_and_bullets_counted_once(app: App) -> None:
    seen = Moved(told())
    for _ in range(2):  # the second time is the same request again
        app.curator.apply_delta(delta("e1", "check the units", "never round twice"), DOMAIN, idempotency_key="e1")
    assert seen.by("insights_processed_total") == 2
    assert seen.by("bullets_added_total") == 2
    assert seen.by("batch_merge_duration_seconds_count") == 2
    assert seen.by('batch_merge_duration_seconds_bucket{le="+Inf"}') == 2
    assert seen.by("faiss_index_size_vectors") == 2
    assert seen.by('ace_bullets{stage="shadow"}') == 2


def test_a_merge_that_is_undone_adds_nothing(app: App) -> None:
    seen = Moved(told())

    def refuse(*_: object) -> None:
        raise KeyError("along")

    with pytest.raises(KeyError):
        app.curator.apply_delta(delta("e1", "check the units"), DOMAIN, along=refuse)
    assert seen.by("bullets_added_total") == 0
    assert seen.by("insights_processed_total") == 0
    assert seen.by("batch_merge_duration_seconds_count") == 1


def test_a_retrieval_and_its_search_are_timed(app: App) -> None:
    app.curator.apply_delta(delta("e1", "check the units"), DOMAIN)
    seen = Moved(told())
    assert app.retrieval.context(DOMAIN, "check the units", k=3).bullets
    assert seen.by("playbook_retrieval_latency_ms_count") == 1
    assert seen.by("faiss_search_latency_ms_count") == 1
    assert seen.by("playbook_retrieval_latency_ms_sum") >= seen.by("faiss_search_latency_ms_sum") > 0


def test_promotions_and_quarantines_are_counted_whoever_makes_them(app: App) -> None:
    good, bad, picked = add(app.store, "check the units", "never round twice", "ask first")
    write(
        app.store, helpful(good, "e1"), *(type(helpful(bad, e))(bullet_id=bad, episode_id=e, harmful=1) for e in "ab")
    )
    seen = Moved(told())
    Staging(app.store, app.clock, levels={PlaybookStage.SHADOW: Gate(helpful_min=1, ratio_min=1)}).advance(DOMAIN)
    write(app.store, Promote(bullet_id=picked, to=PlaybookStage.STAGING, reason="a person"))
    assert seen.by("bullets_promoted_total") == 2
    assert seen.by("ace_bullets_quarantined_total") == 1
    assert (told()['ace_bullets{stage="staging"}'], told()['ace_bullets{stage="quarantined"}']) == (2, 1)


def test_archivings_are_counted_by_their_reason(app: App) -> None:
    first, second, third, fourth = add(app.store, "check the units", "first check units", "ask first", "draw it")
    seen = Moved(told())
    write(
        app.store,
        Archive(bullet_id=first, reason="superseded: x", superseded_by=second),
        Archive(bullet_id=second, reason="unused: not shown for 90 days"),
        Archive(bullet_id=third, reason="room: full"),
        Archive(bullet_id=fourth, reason="not for us"),
    )
    causes = ("superseded", "unused", "room", "person")
    assert [seen.by(f'ace_bullets_archived_total{{reason="{cause}"}}') for cause in causes] == [1, 1, 1, 1]


def test_the_stage_manager_leaves_the_time_of_its_last_run(app: App) -> None:
    metrics.stage_manager_ran(1_700_000_000.0)
    assert told()["ace_stage_manager_last_run_timestamp_seconds"] == 1_700_000_000


def ask(llm: ScriptedLLM) -> Any:
    lm = language_model(get_settings(), base_url=llm.url)
    with dspy.context(lm=lm, adapter=CompactAdapter()):
        return llm_circuit_breaker.protected_predict(
            dspy.Predict("question -> answer"), circuit_name="generator", failure_threshold=2, question="2 + 2?"
        )


def test_breakers_and_model_errors_are_told_as_they_are(app: App) -> None:
    before = told()
    assert before['circuit_breaker_state{name="generator",state="closed"}'] == 1
    assert before['circuit_breaker_state{name="reflector",state="open"}'] == 0
    with ScriptedLLM(lambda request: status(400 if "x" in request.prompt else 500, retry_after=999)) as llm:
        for _ in range(2):
            with pytest.raises(ModelUnreachable):
                ask(llm)
    seen = Moved(before)
    states = {state: told()[f'circuit_breaker_state{{name="generator",state="{state}"}}']
              for state in ("closed", "open", "half_open")}  # fmt: skip
    assert states == {"closed": 0, "open": 1, "half_open": 0}
    assert seen.by('circuit_breaker_failures_total{name="generator"}') == 2
    assert seen.by('llm_api_errors_total{kind="server"}') == 2
    llm_circuit_breaker.reset_llm_breakers()
    assert told()['circuit_breaker_state{name="generator",state="open"}'] == 0


def test_a_model_call_that_is_answered_is_counted_with_its_tokens(app: App) -> None:
    usage = {"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37}
    seen = Moved(told())
    with ScriptedLLM([say("4", usage=usage)]) as llm:
        ask(llm)
    assert seen.by('ace_llm_calls_total{model="openai/local"}') == 1
    assert seen.by('ace_llm_tokens_total{model="openai/local",type="input"}') == 30
    assert seen.by('ace_llm_tokens_total{model="openai/local",type="output"}') == 7
    assert seen.by('ace_llm_call_duration_seconds_count{model="openai/local"}') == 1
    assert 'ace_llm_cost_usd_total{model="openai/local"}' in told()


def test_errors_have_few_kinds() -> None:
    assert kind_of(ValueError("a bug")) == "other"
    assert kind_of(ConnectionResetError()) == "transport"
    assert len(KINDS) < 25


def request(app: App, path: str, method: str = "GET") -> int:
    """One request to the server's application, as its server would bring it; the status."""
    answered: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        answered.append(message.get("status", 0))

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": [], "http_version": "1.1", "scheme": "http", "server": ("localhost", 80),
             "client": ("127.0.0.1", 1), "root_path": ""}  # fmt: skip
    asyncio.run(create(app)(scope, receive, send))
    return answered[0]


REQUESTS = [
    ("/livez", "GET", 200, "/livez"),
    ("/nowhere/1234", "GET", 404, "unknown"),
    ("/livez", "BREW", 405, "/livez"),
]


@pytest.mark.parametrize(("path", "method", "status", "route"), REQUESTS)
def test_a_request_is_counted_by_the_template_of_its_route(
    app: App, path: str, method: str, status: int, route: str
) -> None:
    seen = Moved(told())
    assert request(app, path, method) == status
    named = "OTHER" if method == "BREW" else method
    assert seen.by(f'http_requests_total{{method="{named}",route="{route}",status="{status}"}}') == 1
    assert seen.by(f'ace_http_request_duration_seconds_count{{route="{route}"}}') == 1


def test_a_process_is_observed_inside_the_block_only(data_dir: Path) -> None:
    app = Wired()
    with app.observed("reflector"):
        app.observe_request("GET", "/livez", 200, 0.01)
        assert told()["ace_processes"] == 1
    app.observe_request("GET", "/livez", 200, 0.01)
    with app.observed("reflector"):
        assert told()["ace_processes"] == 1
        assert told()['http_requests_total{method="GET",route="/livez",status="200"}'] == 1


def test_memory_and_connections_are_those_of_the_running_processes(app: App, data_dir: Path) -> None:
    before = told()
    assert before["process_resident_memory_bytes"] > 10_000_000
    assert before["ace_processes"] == 1
    other = subprocess.Popen(
        [sys.executable, "-c", "import sys; from pathlib import Path; from ace.utils import metrics\n"
         "metrics.enable(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.read()", str(data_dir)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"
    both = told()
    assert both["ace_processes"] == 2
    assert both["process_resident_memory_bytes"] > before["process_resident_memory_bytes"]
    other.kill()
    other.communicate()
    assert told()["ace_processes"] == 1


def test_open_database_connections_are_counted(app: App, postgres_url: str) -> None:
    before = postgres.open_connections()
    database = Database(postgres_url)
    with database.snapshot(), database.snapshot():
        assert postgres.open_connections() == before + 2
        assert told()["database_connections_active"] >= before + 2
    database.close()
    assert postgres.open_connections() == before


def test_open_sqlite_connections_are_counted(app: App) -> None:
    before = open_connections()
    app.store.head(DOMAIN)
    with get_database().snapshot():
        assert open_connections() >= before + 2


def episode(own: str, state: str, reported_at: float) -> dict[str, Any]:
    return {"domain_id": DOMAIN, "id": own, "state": state, "body": "{}", "request_hash": "0", "attempts": 0,
            "due_at": 0.0, "owner": None, "reported_at": reported_at, "result": None, "error": None}  # fmt: skip


def test_episodes_are_told_by_state_with_the_age_of_the_oldest_that_waits(app: App) -> None:
    add(app.store, "check the units")
    assert told()["ace_queue_age_seconds"] == 0
    now = time.time()
    with get_database().transaction() as session:
        rows = [("e1", "queued", 60), ("e2", "leased", 100), ("e3", "done", 5000), ("e4", "dead", 5000)]
        session.run_many(insert(tables.episodes), [episode(own, state, now - age) for own, state, age in rows])
    assert {state: told()[f'ace_episodes{{state="{state}"}}'] for state in ("queued", "leased", "done", "dead")} == {
        "queued": 1, "leased": 1, "done": 1, "dead": 1,
    }  # fmt: skip
    assert 100 <= told()["ace_queue_age_seconds"] < 400


def test_a_database_that_hangs_does_not_hang_a_scrape(app: App, postgres_url: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("ACE_DATABASE_URL", postgres_url)
    get_settings.cache_clear()
    assert told(within_s=30)['ace_scrape_errors{family="episodes"}'] == 0
    with psycopg.connect(postgres_url) as connection:
        connection.execute("LOCK TABLE episodes IN ACCESS EXCLUSIVE MODE")
        found = told(within_s=0.5)
    assert found['ace_scrape_errors{family="breakers"}'] == 0
    assert found['ace_scrape_errors{family="episodes"}'] == 1
    assert 'circuit_breaker_state{name="generator",state="closed"}' in found
    assert not any(sample.startswith("ace_episodes") for sample in found)
    assert "bullets_added_total" in found


def test_a_database_that_is_away_leaves_the_rest(app: App, monkeypatch: Any) -> None:
    monkeypatch.setenv("ACE_DATABASE_URL", "postgresql://ace:secret@127.0.0.1:1/ace")
    get_settings.cache_clear()
    found = told()
    assert [found[f'ace_scrape_errors{{family="{group}"}}'] for group in ("breakers", "bullets", "episodes")] == [1] * 3
    assert "bullets_added_total" in found


@pytest.mark.parametrize("statement", ["import ace", "from ace.cli import main", "import ace.bootstrap"])
def test_what_does_not_count_does_not_load_the_library(statement: str) -> None:
    code = f"{statement}; import sys; sys.exit('prometheus_client' in sys.modules or 'opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_is_counted_before_enable_and_nothing_breaks(data_dir: Path) -> None:
    metrics.count("bullets_added_total")
    metrics.observe("faiss_search_latency_ms", 1.0)
    metrics.stage_manager_ran(1.0)
    assert told()["bullets_added_total"] == 0
    assert not (data_dir / "metrics").exists()
