"""Spans, as a real collector receives them over OTLP/HTTP."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dspy
import pytest
from fastapi import FastAPI

from ace.config import Settings, load_settings
from ace.curator.semantic_curator import CosineRule
from ace.errors import ModelUnreachable
from ace.models.insight import Delta, Insight
from ace.models.playbook import PlaybookStage, Section
from ace.services.retrieval import Retrieval
from ace.testing.breakers import InMemoryBreakers
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.testing.index import ExactIndex
from ace.testing.llm import ScriptedLLM, say, status
from ace.testing.playbook import InMemoryPlaybook
from ace.utils import logs, tracing
from ace.utils.clock import SystemClock
from ace.utils.llm_adapter import CompactAdapter
from ace.utils.llm_breaker_state import SharedBreakers
from ace.utils.llm_client import language_model
from ace.utils.llm_protection import Backoff, Protection
from ace.utils.llm_rate_limit import RateLimiter
from ace.utils.metered import MeteredCurator, MeteredIndex, MeteredRetrieval
from ace.utils.observed_http import ObservedRequests
from tests.playbooks import DOMAIN

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra 'otel' is not installed")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SECRET_QUESTION = "what-nobody-may-read"


@dataclass
class Collector:
    """An OTLP/HTTP collector on this machine."""

    url: str = ""
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    def spans(self) -> dict[str, Any]:
        """What arrived, by name, once everything has been sent."""
        tracing.disable()
        return {span.name: span for request in self.requests for resource in request.resource_spans
                for scope in resource.scope_spans for span in scope.spans}  # fmt: skip

    def resource(self) -> dict[str, str]:
        return {one.key: one.value.string_value for one in self.requests[0].resource_spans[0].resource.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                found.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    tracing.enable(found.url, component="server")
    yield found
    tracing.disable()
    server.shutdown()
    server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def ask(llm: ScriptedLLM) -> Any:
    protection = Protection(breakers=SharedBreakers(InMemoryBreakers, FrozenClock()), limiter=RateLimiter(None),
                            deadline_s=5, clock=SystemClock(), backoff=Backoff(tries=1))  # fmt: skip
    with dspy.context(lm=language_model(Settings(), base_url=llm.url), adapter=CompactAdapter()):
        predict = dspy.Predict("question -> answer")
        return protection(predict, circuit_name="generator", question=SECRET_QUESTION)


def test_a_model_call_is_a_span_by_the_genai_conventions_without_its_words(collector: Collector) -> None:
    usage = {"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37}
    with ScriptedLLM([say("the answer", usage=usage)]) as llm, tracing.span("request"):
        ask(llm)
    spans = collector.spans()
    span = spans["chat local"]
    assert attributes(span) == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "local",
        "gen_ai.request.max_tokens": 1024, "gen_ai.request.temperature": 0.0, "gen_ai.request.seed": 0,
        "gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 7, "gen_ai.usage.cache_read.input_tokens": 0,
    }  # fmt: skip
    assert span.kind == span.SPAN_KIND_CLIENT
    assert span.parent_span_id == spans["request"].span_id, "although it runs in a thread of its own"
    assert collector.resource()["service.name"] == "ace-server"


def test_of_a_failed_call_the_type_is_told_and_not_the_text(collector: Collector) -> None:
    with ScriptedLLM([status(500)]) as llm, pytest.raises(ModelUnreachable):
        ask(llm)
    span = collector.spans()["chat local"]
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert attributes(span)["error.type"]
    everything = b"".join(request.SerializeToString() for request in collector.requests)
    assert SECRET_QUESTION.encode() not in everything
    assert not span.events


def test_merge_and_retrieval_are_spans(collector: Collector) -> None:
    store, embedder = InMemoryPlaybook(), HashEmbedder()
    index = MeteredIndex(ExactIndex(store))
    curator = MeteredCurator(store=store, index=index, embedder=embedder, second_look=CosineRule(), clock=FrozenClock())
    inner = Retrieval(index=index, embedder=embedder, stages=set(PlaybookStage), floor=-1, trust_weight=0)
    insight = Insight(content="check the units", section=Section.STRATEGY)
    curator.apply_delta(Delta(episode_id="e1", insights=(insight,)), DOMAIN)
    assert MeteredRetrieval(inner).context(DOMAIN, "units", k=1).bullets
    spans = collector.spans()
    assert attributes(spans["merge"]) == {"ace.tasks": 1, "ace.insights": 1}
    assert "retrieval" in spans


def test_a_request_is_a_span_in_the_callers_trace(collector: Collector) -> None:
    api = FastAPI()

    @api.get("/domains/{domain}")
    async def domain(domain: str) -> dict[str, str | None]:
        return {"trace": tracing.trace_id()}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    bodies: list[bytes] = []

    async def send(message: Any) -> None:
        bodies.append(message.get("body", b""))

    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    scope = {"type": "http", "method": "GET", "path": "/domains/a", "raw_path": b"/domains/a", "query_string": b"",
             "headers": [(b"traceparent", parent.encode())], "http_version": "1.1", "scheme": "http",
             "server": ("localhost", 80), "client": ("localhost", 1), "root_path": ""}  # fmt: skip
    asyncio.run(ObservedRequests(api)(scope, receive, send))
    span = collector.spans()["GET /domains/{domain}"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == ("ab" * 16, "cd" * 8)
    assert attributes(span) == {"http.request.method": "GET", "http.route": "/domains/{domain}",
                                "http.response.status_code": 200}  # fmt: skip
    assert json.loads(b"".join(bodies)) == {"trace": "ab" * 16}


def test_log_lines_name_the_trace_they_belong_to(collector: Collector) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(pretty=False, component="server"))
    with tracing.span("request"):
        handler.emit(logging.makeLogRecord({"msg": "inside", "levelname": "INFO"}))
    assert json.loads(stream.getvalue())["trace_id"] == collector.spans()["request"].trace_id.hex()


def test_a_collector_that_is_away_stops_nothing() -> None:
    tracing.enable("http://127.0.0.1:1", component="server")
    with tracing.span("request"):
        pass
    started = time.monotonic()
    tracing.disable()
    assert time.monotonic() - started < 30


def test_without_an_endpoint_nothing_is_loaded_and_spans_are_nothing() -> None:
    code = ("from ace.utils import tracing\ntracing.enable(None, component='cli')\n"
            "with tracing.span('x') as span: assert span is None\n"
            "assert tracing.trace_id() is None\nimport sys\nsys.exit('opentelemetry' in sys.modules)")  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_extra_the_remedy_is_named() -> None:
    code = (
        "import sys\nsys.modules['opentelemetry.exporter'] = None\n"
        "from ace.errors import MissingExtra\nfrom ace.utils import tracing\n"
        "try: tracing.enable('http://127.0.0.1:1', component='cli')\n"
        "except MissingExtra as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pip install 'ace-playbook-server[otel]'" in done.stdout


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "ACE_OTEL_ENDPOINT"])
def test_the_endpoint_is_read_from_the_standard_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://localhost:4318")
    assert load_settings().otel_endpoint == "http://localhost:4318"


def test_the_endpoint_can_be_given_in_code() -> None:
    assert load_settings(otel_endpoint="http://localhost:4318").otel_endpoint == "http://localhost:4318"
