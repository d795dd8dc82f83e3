"""One piece of work, as each tool wrote it down: the same task, steps, answer and verdict come out.

The files in tests/exports are short, and of the form that each tool writes (see the readers' docstrings).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ace.core.traces import to_episode
from ace.errors import InvalidInput
from ace.models.episode import Episode
from ace.models.task import FeedbackSource, Step
from ace.models.trace import TraceSource
from ace.utils.traces.files import Found, files_of, load

EXPORTS = Path(__file__).parents[1] / "exports"
TRACE = "92b006ea9c878e1956c0e43bf40e2e1b"
ARGUMENTS = '{"a": 12, "b": 0.4536}'
STEP = Step(thought="Let me calculate.", tool="multiply", arguments=ARGUMENTS, observation="5.4432")
BARE = Step(thought="", tool="multiply", arguments=ARGUMENTS, observation="5.4432")
HUMAN, JUDGE, NONE = FeedbackSource.HUMAN, FeedbackSource.JUDGE, FeedbackSource.NONE

FILES: dict[str, tuple[str, FeedbackSource, Step]] = {
    "otlp-collector.jsonl": (f"otlp-{TRACE}", JUDGE, STEP),
    "otlp-events.jsonl": (f"otlp-{TRACE}", JUDGE, STEP),
    "otlp-openinference.jsonl": (f"otlp-{TRACE}", JUDGE, STEP),
    "otlp-langsmith.jsonl": ("otlp-e40bce6930f6da041bc867a68508ec62", NONE, STEP),
    "phoenix-download.jsonl": (f"phoenix-{TRACE}", HUMAN, STEP),
    "phoenix-cli.json": (f"phoenix-{TRACE}", HUMAN, STEP),
    "phoenix-dataframe.jsonl": (f"phoenix-{TRACE}", NONE, STEP),
    "phoenix-dataframe.csv": (f"phoenix-{TRACE}", NONE, BARE),
    "langfuse-table.jsonl": (f"langfuse-{TRACE}", HUMAN, STEP),
    "langfuse-trace.json": (f"langfuse-{TRACE}", HUMAN, STEP),
    "langfuse-api.json": (f"langfuse-{TRACE}", HUMAN, STEP),
    "langfuse-blob.jsonl": (f"langfuse-{TRACE}", HUMAN, STEP),
    "chats-openai.jsonl": ("chats-chat-1", HUMAN, STEP),
    "chats-sharegpt.jsonl": ("chats-chat-1", HUMAN, BARE),
}


def read(*files: Path, source: TraceSource | None = None) -> Found:
    found = Found()
    for file in files:
        load(file, found, source)
    return found


def only(found: Found) -> Episode:
    assert found.skipped == []
    (trace,) = found.traces.values()
    return to_episode(trace, domain_id="d", now=0.0)


def test_every_export_has_a_row() -> None:
    assert {file.name for file in files_of([EXPORTS])} == FILES.keys()


@pytest.mark.parametrize("name", FILES)
def test_the_work_is_the_same_whoever_wrote_it_down(name: str) -> None:
    own, source, step = FILES[name]
    episode = only(read(EXPORTS / name))
    assert (episode.id, episode.task.question) == (own, "How many kilograms are 12 lb?")
    assert (episode.trajectory.answer, episode.trajectory.steps) == ("5.44 kg", (step,))
    assert (episode.feedback.source, episode.feedback.correct) == (source, None if source == NONE else True)
    (trace,) = read(EXPORTS / name).traces.values()
    assert "Be brief." not in json.dumps([episode.to_json(), trace.to_json()]), "an agent's instructions are its own"
    if name.startswith(("otlp", "langfuse", "phoenix")):
        assert episode.trajectory.latency_s == 2.5 or name in ("otlp-events.jsonl", "otlp-langsmith.jsonl")


def test_files_of_one_export_are_put_together(tmp_path: Path) -> None:
    rows = (EXPORTS / "langfuse-blob.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "scores.jsonl").write_text(rows[-1])
    (tmp_path / "observations_v2.jsonl").write_text("".join(rows[:-1]))
    assert only(read(*files_of([tmp_path]))) == only(read(EXPORTS / "langfuse-blob.jsonl"))


WRONG: dict[str, tuple[TraceSource | None, Any, str]] = {
    "no JSON": (None, '{"messages": [', "line 1: is not valid JSON"),
    "no object": (None, "7", "line 1: is a number, not an object"),
    "twice the same field": (None, '{"messages": [], "messages": []}', "line 1: gives the field 'messages' twice"),
    "no number": (None, '{"score": NaN}', "line 1: holds NaN"),
    "no UTF-8": (None, b'{"a": "\xff"}', "line 1: is not UTF-8"),
    "nobody's fields": (None, {"colour": "red"}, "line 1, fields: colour tell no format. Say --from otlp"),
    "a span without a trace": (None, {"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": "b" * 16}]}]}]},
                               "line 1, resourceSpans[0].scopeSpans[0].spans[0].traceId: should be 32 hexadecimal"),
    "spans that are none": (None, {"resourceSpans": [{"scopeSpans": [{"spans": [7]}]}]}, "spans[0]: should be an obj"),
    "spans in no list": (None, {"resourceSpans": {"scopeSpans": []}}, "line 1, resourceSpans: should be an array"),
    "logs for traces": (TraceSource.OTLP, {"resourceMetrics": []}, "line 1, resourceSpans: is missing"),
    "a message that is none": (None, {"messages": ["hi"]}, "line 1, messages[0]: should be an object, not a string"),
    "messages in no list": (None, {"messages": "hi"}, "line 1, messages: should be an array, not a string"),
    "a verifier nobody knows": (None, {"messages": [], "outcome": True, "verifier": "mum"}, "line 1, verifier: 'mum'"),
    "a score that is none": (None, {"messages": [], "score": [1]}, "line 1, score: should be a number or a word"),
    "a chat without words": (TraceSource.CHATS, {"id": "x"}, "line 1, messages: is missing"),
    "an observation without an id": (None, {"traceId": "t", "type": "SPAN"}, "line 1, id: is missing"),
    "a score of a session": (TraceSource.LANGFUSE, {"name": "n", "value": 1}, "line 1, traceId: is missing"),
    "not Langfuse's": (TraceSource.LANGFUSE, {"x": 1}, "line 1, traceId: is missing"),
    "in a page of Langfuse's": (TraceSource.LANGFUSE, {"data": [{"id": "t", "input": "q"}, 7]}, "data[1]: should be"),
    "a span without a context": (None, {"span_kind": "LLM"}, "line 1, context.trace_id: is missing"),
    "one of Phoenix's spans": (None, {"traceId": "t", "spans": [{"context": {"trace_id": "t"}}]},
                               "line 1, spans[0], context.span_id: is missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_read_is_named_by_line_and_field(case: str, tmp_path: Path) -> None:
    source, content, says = WRONG[case]
    file = tmp_path / "export.jsonl"
    good = json.dumps({"messages": [{"role": "user", "content": "q"}]}).encode() if source is None else b"{}"
    data = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else b""
    file.write_bytes((data or json.dumps(content).encode()) + b"\n" + (good if data else b""))
    told = [str(error) for error in read(file, source=source).skipped]
    assert any(says in one for one in told), told


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "gzip": (b"\x1f\x8b\x08", "is compressed. Run gunzip"),
    "Parquet": (b"PAR1....", "is Parquet. Export JSON"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_of_another_kind_says_what_to_do(case: str, tmp_path: Path) -> None:
    content, says = UNREADABLE[case]
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(InvalidInput, match=says):
        read(tmp_path / "x.jsonl")


def test_a_good_line_beside_a_broken_one_is_read(tmp_path: Path) -> None:
    lines = (EXPORTS / "chats-openai.jsonl").read_bytes() + b"{broken\n"
    (tmp_path / "chats.jsonl").write_bytes(lines)
    found = read(tmp_path / "chats.jsonl")
    assert len(found.traces) == 1 and "line 2: is not valid JSON" in str(found.skipped[0])
