"""Spans that real exporters send to a real server: taken whole or in parts, learned from, and guarded like the rest."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from pydantic_ai import Agent
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings

from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.testing.llm import ScriptedLLM
from tests.e2e.conftest import clerk
from tests.e2e.nursery import nursery
from tests.e2e.servers import Server, serving

EXPORTS = Path(__file__).parents[1] / "exports"
MINE, THEIRS = "customer-a", "customer-b"
LIMIT = 200_000
JSON, PROTOBUF = "application/json", "application/x-protobuf"
pytestmark = pytest.mark.xdist_group("otlp")


class World:
    """A server with a key of each kind, and the database behind it."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server, self.home, self.queue = (
            server,
            home,
            EpisodeRepository(Database(f"sqlite:///{home / 'data' / 'ace.db'}")),
        )
        self.write, self.read = (self.key(role) for role in ("write", "read"))
        time.sleep(1.1)  # from now on everybody needs a key

    def key(self, role: str) -> str:
        return str(self.ace("keys", "create", "--role", role, "-d", MINE)["token"])

    def ace(self, *words: str) -> Any:
        done = nursery().run(*words, "--json", cwd=self.home, env=self.server.environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def post(self, body: bytes, *, domain: str = MINE, signal: str = "traces", key: str = "", **headers: str
             ) -> httpx.Response:  # fmt: skip
        headers = {"Content-Type": JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        path = f"/otlp/{domain}/v1/{signal}"
        return self.server.ask("POST", path, key=key or self.write, content=body, headers=headers)

    def exporter(self, domain: str = MINE) -> OTLPSpanExporter:
        headers = {"Authorization": f"Bearer {self.write}"}
        return OTLPSpanExporter(endpoint=f"{self.server.url}/otlp/{domain}/v1/traces", headers=headers,
                                compression=Compression.Gzip)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[World]:
    home = tmp_path_factory.mktemp("otlp")
    with ScriptedLLM(clerk) as llm:
        settings = {"ACE_MODEL": "openai/clerk", "ACE_MODEL_BASE_URL": llm.url, "ACE_MODELS_DIR": str(models_dir),
                    "ACE_TRACE_SETTLE_S": "0", "ACE_OTLP_MAX_BODY_BYTES": str(LIMIT),
                    "ACE_REVIEW": "screens"}  # fmt: skip
        with serving(home, **settings) as server:
            yield World(server, home)


def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Looks into the ledger, then answers."""
    if any(part.part_kind == "tool-return" for message in messages for part in message.parts):
        return ModelResponse(parts=[TextPart("no idea")])
    return ModelResponse(parts=[TextPart("I look it up."), ToolCallPart("ledger", {"item": "amber"})])


def lines(name: str) -> list[bytes]:
    return (EXPORTS / name).read_bytes().splitlines()


def spans(*told: dict[str, Any]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(told)}]}]}).encode()


def span(own: int, trace: int = 1, parent: int | None = None, **words: str) -> dict[str, Any]:
    attributes = [{"key": name.replace("__", "."), "value": {"stringValue": value}} for name, value in words.items()]
    above = {} if parent is None else {"parentSpanId": f"{parent:016x}"}
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{own:016x}",
        "name": f"span {own}",
        "attributes": attributes,
        **above,
    }


def asked(own: int, trace: int = 1, parent: int | None = None, text: str = "What is 3 / 4?") -> dict[str, Any]:
    return span(own, trace, parent, gen_ai__operation__name="chat", gen_ai__input__messages=text)


def test_an_agents_own_spans_are_learned_from(world: World) -> None:
    """pydantic-ai emits them, OpenTelemetry's SDK exports them, gzipped protobuf, in batches as they end."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(world.exporter()))
    watched = Instrumentation(settings=InstrumentationSettings(tracer_provider=provider))
    agent = Agent(FunctionModel(model), instructions="Be brief.", name="clerk", capabilities=[watched])

    @agent.tool_plain
    def ledger(item: str) -> str:
        """The ledger's entry."""
        return f"nothing about {item}"

    assert agent.run_sync("What is the code of item amber?").output == "no idea"
    assert provider.force_flush()
    provider.shutdown()
    (status,) = world.queue.list(MINE)
    episode = world.queue.get(MINE, status.id)
    assert episode and status.id.startswith("otlp-") and episode.principal == world.write.split("_")[1]
    assert (episode.task.question, episode.trajectory.answer) == ("What is the code of item amber?", "no idea")
    (step,) = episode.trajectory.steps
    assert (step.thought, step.tool, step.observation) == ("I look it up.", "ledger", "nothing about amber")
    world.ace("worker", "--once")
    (bullet,) = world.ace("playbook", "show", "-d", MINE)
    assert (bullet["stage"], bullet["origin"]["episode_id"]) == ("shadow", status.id)
    assert "amber-amber" in bullet["content"]


def test_a_trace_that_comes_span_by_span_is_one_episode(world: World) -> None:
    """The root ends last; whatever comes after a worker has had the trace is told to be late."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(world.exporter()))
    tracer = provider.get_tracer("own")
    with tracer.start_as_current_span("POST /chat") as root:
        chat = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": "What is the code of item birch?"}
        with tracer.start_as_current_span("chat", attributes=chat):
            pass
        own = f"otlp-{root.get_span_context().trace_id:032x}"
        before = world.queue.status(MINE, own)
        tool = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "ledger",
            "gen_ai.tool.call.result": "none",
        }
        with tracer.start_as_current_span("execute_tool", attributes=tool):
            pass
    provider.shutdown()
    after, episode = world.queue.status(MINE, own), world.queue.get(MINE, own)
    assert before and after and episode and episode.trace
    assert before.due_at > time.time() + 60 and after.due_at < time.time() + 5, "the root's end makes it due"
    assert [one.name for one in episode.trace.spans] == ["chat", "execute_tool"]
    assert [step.tool for step in episode.trajectory.steps] == ["ledger"]
    assert world.queue.claim_one("w", time.time(), 60, MINE, own)
    late = world.post(spans(asked(99, trace=int(own[5:], 16)))).json()
    assert late == {"partialSuccess": {"rejectedSpans": "0", "errorMessage": "Spans came after their trace had been "
                                       "learned from; they were not read."}}  # fmt: skip


def test_the_same_export_again_changes_nothing(world: World) -> None:
    first = [world.post(line).json() for line in lines("otlp-collector.jsonl")]
    episode = world.queue.get(MINE, "otlp-92b006ea9c878e1956c0e43bf40e2e1b")
    again = [world.post(gzip.compress(line), Content_Encoding="gzip").json() for line in lines("otlp-collector.jsonl")]
    assert first == again == [{}, {}]
    assert episode and episode == world.queue.get(MINE, episode.id)
    assert (episode.trajectory.answer, episode.feedback.correct) == ("5.44 kg", True)


def test_messages_that_come_as_events_are_read_too(world: World) -> None:
    traces, logs = (line.replace(b"92b006ea", b"00000003") for line in lines("otlp-events.jsonl"))
    mute = world.post(traces).json()["partialSuccess"]
    assert mute["rejectedSpans"] == "0" and "CAPTURE_MESSAGE_CONTENT" in mute["errorMessage"]
    assert world.post(logs, signal="logs").json() == {}
    episode = world.queue.get(MINE, "otlp-000000039c878e1956c0e43bf40e2e1b")
    assert episode and (episode.trajectory.answer, len(episode.trajectory.steps)) == ("5.44 kg", 1)


def test_what_says_nothing_of_an_agent_is_passed_over(world: World) -> None:
    known = world.queue.counts(MINE)
    assert world.post(spans(span(1, trace=77, http__route="/"))).json() == {}
    assert world.post(b'{"resourceSpans": []}').json() == world.post(b"{}").json() == {}
    assert world.queue.counts(MINE) == known


def test_spans_that_cannot_be_read_are_counted_and_the_others_kept(world: World) -> None:
    told = world.post(spans({"traceId": "xyz"}, asked(5, trace=5), {**asked(6, trace=5), "spanId": "0" * 16}))
    assert told.status_code == 200 and world.queue.get(MINE, f"otlp-{5:032x}")
    partial = told.json()["partialSuccess"]
    assert partial["rejectedSpans"] == "2" and "spans[0].traceId: should be 32 hexadecimal" in partial["errorMessage"]


def test_an_answer_in_protobuf_is_one_its_readers_know(world: World) -> None:
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    request = TracesData()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"short", name="bad")
    answer = world.post(request.SerializeToString(), Content_Type=PROTOBUF)
    told = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.headers["content-type"], told.rejected_spans) == (PROTOBUF, 1)
    assert "traceId: should be 32 hexadecimal digits" in told.error_message
    assert world.post(b"", Content_Type=PROTOBUF).content == b""


BOMB = gzip.compress(b" " * 30_000_000)
REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no key": ({"body": b"{}", "key": "none"}, 401, "API key"),
    "a key that may only read": ({"body": b"{}", "key": "read"}, 403, "role is 'read'"),
    "another's domain": ({"body": b"{}", "domain": THEIRS}, 404, "There is no domain customer-b."),
    "a domain there is not": ({"body": b"{}", "domain": "nobody"}, 404, "There is no domain nobody."),
    "no domain's name": ({"body": b"{}", "domain": "No%20One"}, 400, "is not a domain id"),
    "metrics": ({"body": b"{}", "signal": "metrics"}, 404, "Not Found"),
    "another content type": ({"body": b"{}", "Content_Type": "text/plain"}, 415, "application/x-protobuf"),
    "another compression": ({"body": b"{}", "Content_Encoding": "zstd"}, 415, "compressed by gzip"),
    "gzip that is none": ({"body": b"{}", "Content_Encoding": "gzip"}, 400, "is not gzip"),
    "gzip cut off": ({"body": gzip.compress(b"{}" * 99)[:-9], "Content_Encoding": "gzip"}, 400, "ends too early"),
    "a bomb": ({"body": BOMB, "Content_Encoding": "gzip"}, 413, "unpacks to more than 200,000 bytes"),
    "many small bombs": ({"body": gzip.compress(b" " * 90_000) * 9, "Content_Encoding": "gzip"}, 413, "unpacks"),
    "too large as it is": ({"body": b" " * (LIMIT + 1)}, 413, "larger than 200,000 bytes"),
    "no JSON": ({"body": b"{"}, 400, "is not JSON"),
    "no object": ({"body": b"[]"}, 400, "is an array, not an object"),
    "twice the same field": ({"body": b'{"a": 1, "a": 2}'}, 400, "gives the field 'a' twice"),
    "nested without end": ({"body": b"[" * 100_000}, 400, "body"),
    "another message": ({"body": b'{"resourceMetrics": []}'}, 400, "resourceSpans: is missing"),
    "no protobuf": ({"body": b"\xff\xff", "Content_Type": PROTOBUF}, 400, "is no export of traces"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_says_why_in_the_callers_form(world: World, case: str) -> None:
    asked_for, status, says = REFUSED[case]
    keys = {"none": "ace_no_key", "read": world.read}
    answer = world.post(**{**asked_for, "key": keys.get(asked_for.get("key", ""), "")})
    message = answer.content[2:].decode() if asked_for.get("Content_Type") == PROTOBUF else answer.json()["message"]
    assert (answer.status_code, says in message) == (status, True), answer.text


def test_without_the_library_protobuf_is_refused_and_json_is_not() -> None:
    program = (
        "import sys; sys.modules['google.protobuf'] = None\n"
        "from ace.utils.traces.otlp_wire import Signal, body\n"
        "print(body(b'{}', Signal.TRACES, content_type='application/json', encoding='', limit=9))\n"
        "body(b'', Signal.TRACES, content_type='application/x-protobuf', encoding='', limit=9)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "{}\n"
    assert (
        "MissingExtra: opentelemetry-proto is not installed. Run: pip install 'ace-playbook-server[otel]'" in run.stderr
    )
