"""What is shipped for Prometheus and Grafana, held against the real tools and a real scrape of things that happened.

promtool, prometheus and amtool are looked for on PATH (Debian: prometheus, prometheus-alertmanager).
"""

from __future__ import annotations

import json
import math
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dspy
import httpx
import pytest
import yaml

from ace.bootstrap import App
from ace.config import get_settings, load_settings
from ace.core.gates import Gate
from ace.errors import ModelUnreachable
from ace.models.insight import Delta, Insight
from ace.models.playbook import PlaybookStage, Section
from ace.services.staging import Staging
from ace.testing.embedder import HashEmbedder
from ace.testing.llm import ScriptedLLM, say, status
from ace.utils import faiss_index, llm_circuit_breaker, metrics
from ace.utils.llm_adapter import CompactAdapter
from ace.utils.llm_client import language_model
from tests.metrics import told
from tests.playbooks import DOMAIN, helpful, write

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "prometheus"
DASHBOARD = json.loads((REPOSITORY / "grafana/dashboards/ace-playbook.json").read_text())
ALERTS = yaml.safe_load((SHIPPED / "alerts.yml").read_text())["groups"][0]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RUNBOOK = {
    "ServiceDown": ('up{job="ace-app"} == 0', "1m"),
    "HighErrorRate": ('rate(http_requests_total{status=~"5.."}[5m]) > 0.05', "5m"),
    "CircuitBreakerOpen": ('circuit_breaker_state{state="open"} == 1', "5m"),
}
CHECKS = [
    ("promtool", "check", "rules", "alerts.yml"),
    ("promtool", "check", "config", "prometheus.yml"),
    ("promtool", "test", "rules", "alerts_test.yml"),
    ("amtool", "check-config", "alertmanager.yml"),
]


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on PATH: apt-get install prometheus prometheus-alertmanager")
    return found


@pytest.mark.parametrize("command", CHECKS, ids=lambda command: " ".join(command[:-1]))
def test_the_tools_accept_what_is_shipped(command: tuple[str, ...]) -> None:
    done = subprocess.run([tool(command[0]), *command[1:]], cwd=SHIPPED, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", RUNBOOK)
def test_the_runbooks_alerts_are_as_it_writes_them(name: str) -> None:
    (rule,) = [rule for rule in ALERTS["rules"] if rule["alert"] == name]
    assert (rule["expr"], rule["for"]) == RUNBOOK[name]


def test_every_alert_says_how_bad_it_is_and_where_to_read_on() -> None:
    assert ALERTS["name"] == "ace-playbook"
    names = {rule["alert"] for rule in ALERTS["rules"]}
    assert names == {*RUNBOOK, "HighRetrievalLatency", "HighMemoryUsage", "PromotionGateFailure", "WorseRelease"}
    for rule in ALERTS["rules"]:
        assert rule["labels"]["severity"] in {"sev1", "sev2", "sev3"}
        assert {"summary", "description", "runbook_url"} <= set(rule["annotations"])


def test_every_alert_has_a_case_that_fires_and_one_that_stays_silent() -> None:
    tests = yaml.safe_load((SHIPPED / "alerts_test.yml").read_text())["tests"]
    cases = [(case["alertname"], bool(case["exp_alerts"])) for test in tests for case in test["alert_rule_test"]]
    assert set(cases) == {(rule["alert"], fires) for rule in ALERTS["rules"] for fires in (True, False)}


def test_no_secret_stands_in_what_is_shipped() -> None:
    text = (SHIPPED / "alertmanager.yml").read_text()
    assert "routing_key:" not in text
    assert "api_url:" not in text


class Wired(App):
    """The application as it is wired, with an embedder that needs no files."""

    embedder = HashEmbedder()


class Life:
    """Things that really happen in this process."""

    def __init__(self) -> None:
        self.app = Wired(load_settings(dedupe="cosine"))
        self.number = 0

    def go_on(self) -> None:
        """A merge, votes, promotions, a retrieval, requests, a model call that works and some that do not."""
        self.number += 1
        text = f"strategy number {self.number} about units and rounding"
        insight = Insight(content=text, section=Section.STRATEGY)
        self.app.curator.apply_delta(Delta(episode_id=f"e{self.number}", insights=(insight,)), DOMAIN)
        newest = self.app.store.get_all(DOMAIN)[-1]
        write(self.app.store, helpful(newest.id, f"v{self.number}"))
        gates = {PlaybookStage.SHADOW: Gate(helpful_min=1, ratio_min=1)}
        Staging(self.app.store, self.app.clock, levels=gates).advance(DOMAIN)
        metrics.stage_manager_ran(time.time())
        metrics.guardrail_tripped("success", "told")
        self.app.retrieval.context(DOMAIN, text, k=3)
        for code in ("200", "503"):
            metrics.count("http_requests_total", "GET", "/v1/context", code)
            metrics.observe("ace_http_request_duration_seconds", 0.02, "/v1/context")
        with ScriptedLLM([say("4")]) as llm:
            ask(llm, "generator")
        with ScriptedLLM(lambda _: status(500, retry_after=999)) as llm, pytest.raises(ModelUnreachable):
            ask(llm, f"reflector-{self.number}")


def ask(llm: ScriptedLLM, circuit: str) -> None:
    with dspy.context(lm=language_model(get_settings(), base_url=llm.url), adapter=CompactAdapter()):
        predict = dspy.Predict("question -> answer")
        llm_circuit_breaker.protected_predict(predict, circuit_name=circuit, failure_threshold=1, question="2 + 2?")


@pytest.fixture
def life(data_dir: Path) -> Iterator[Life]:
    metrics.enable(data_dir)
    caches: tuple[Callable[[], None], ...] = (
        llm_circuit_breaker.default_protection.cache_clear,
        faiss_index.get_faiss_manager.cache_clear,
    )
    for clear in caches:
        clear()
    yield Life()
    metrics.disable()
    for clear in caches:
        clear()


@pytest.fixture
def scraped() -> Iterator[int]:
    """The port of a server whose /metrics is this process's exposition."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = metrics.exposition()
            self.send_response(200)
            self.send_header("Content-Type", metrics.CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


class Prometheus:
    """A running one."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=10, trust_env=False)

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = self.client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", (expression, answer)
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def wait(self, expression: str) -> None:
        """Until the expression has a result."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if self.query(expression):
                    return
            except httpx.TransportError:
                pass  # it has not begun to listen
            time.sleep(0.2)
        raise AssertionError(f"nothing came of {expression}")


@pytest.fixture
def prometheus(scraped: int, tmp_path: Path) -> Iterator[Prometheus]:
    """A real Prometheus that scrapes this process every second, under the rules that are shipped."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{chosen.getsockname()[1]}"
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(SHIPPED / "alerts.yml")],
        "scrape_configs": [{"job_name": "ace-app", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    with (tmp_path / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [tool("prometheus"), f"--config.file={tmp_path / 'prometheus.yml'}", f"--web.listen-address={address}",
             f"--storage.tsdb.path={tmp_path / 'tsdb'}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    yield Prometheus(f"http://{address}")
    process.terminate()
    process.wait(30)


def written_out(expression: str) -> str:
    return expression.replace("$job", "ace-app").replace("$__rate_interval", "1m")


def test_every_panel_shows_data_and_every_alert_can_be_asked(life: Life, prometheus: Prometheus) -> None:
    life.go_on()
    prometheus.wait('llm_api_errors_total{job="ace-app"} > 0')
    life.go_on()
    prometheus.wait('insights_processed_total{job="ace-app"} >= 2')
    life.go_on()
    prometheus.wait('insights_processed_total{job="ace-app"} >= 3')
    for panel in PANELS:
        for target in panel["targets"]:
            found = prometheus.query(written_out(target["expr"]))
            assert found, (panel["title"], target["expr"])
            if "ace_http_request" not in target["expr"]:
                assert any(math.isfinite(float(one["value"][1])) for one in found), panel["title"]
    for rule in ALERTS["rules"]:
        prometheus.query(rule["expr"])
    assert len(prometheus.query(RUNBOOK["CircuitBreakerOpen"][0])) == 3
    rules = prometheus.client.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
    assert {rule["health"] for rule in rules} == {"ok"}
    pending = {
        alert["labels"]["alertname"] for alert in prometheus.client.get("/api/v1/alerts").json()["data"]["alerts"]
    }
    assert "CircuitBreakerOpen" in pending


def test_the_breaker_panel_says_closed_open_and_half_open(life: Life, prometheus: Prometheus) -> None:
    life.go_on()
    prometheus.wait('circuit_breaker_state{name="reflector-1", state="open"} == 1')
    (panel,) = [panel for panel in PANELS if panel["title"] == "Circuit breakers"]
    shown = {one["metric"]["name"]: one["value"][1] for one in
             prometheus.query(written_out(panel["targets"][0]["expr"]))}  # fmt: skip
    assert shown == {"generator": "0", "reflector": "0", "reflector-1": "2"}


def test_every_metric_of_the_dashboard_and_the_alerts_exists(life: Life) -> None:
    life.go_on()
    names = {re.split(r"[{ ]", sample)[0] for sample in told()} | {"up"}
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    expressions += [rule["expr"] for rule in ALERTS["rules"]]
    for expression in expressions:
        used = re.findall(r"\b([a-z][a-z0-9_]*)(?=[{\[])", re.sub(r'"[^"]*"', '""', expression))
        assert used
        assert set(used) <= names, expression


def test_every_contract_area_has_a_panel() -> None:
    titles = " ".join(panel["title"] for panel in PANELS).lower()
    for word in (
        "breaker",
        "retrieval",
        "promotions",
        "stage",
        "queue",
        "cost",
        "errors",
        "requests",
        "memory",
        "index",
    ):
        assert word in titles
