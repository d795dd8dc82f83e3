"""Langfuse (3 and 4): what its pages, its API and its exports to blob storage give.

    a trace's page, Download JSON        {"trace": {…}, "observations": [{…}]}
    GET /api/public/traces/{id}          {"id", "input", "output", "observations": [{…}], "scores": [{…}]}
    GET …/v2/observations, …/scores      {"data": [{…}]}
    tables, as JSONL or JSON             an observation, a trace or a score a line: {"id", "traceId", "type", …}
    observations_v2/, traces/, scores/   the same in snake_case; give the files of one day together

    a score's source                     is, as a verifier
    ANNOTATION                           human
    EVAL                                 llm_judge
    API                                  human where its name says feedback or user; else environment

Of traces with 500 observations and more, the page leaves out inputs and outputs; take those from the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ace.models.task import FeedbackSource
from ace.models.trace import Score, Span, Trace, TraceSource
from ace.utils.traces import attributes as conventions
from ace.utils.traces.blocks import Json, first, text
from ace.utils.traces.messages import messages, parsed
from ace.utils.traces.records import Record
from ace.utils.traces.times import seconds

TRACE_ID, PARENT = ("traceId", "trace_id"), ("parentObservationId", "parent_observation_id")
START, END = ("startTime", "start_time", "timestamp"), ("endTime", "end_time")


def traces(record: Record) -> Iterator[Trace]:
    """The traces, or the parts of traces, in one object of an export. Raises InvalidInput naming what is missing."""
    told = record.fields
    if isinstance(told.get("data"), list):
        for number, one in enumerate(told["data"]):
            yield from traces(_inner(record, f"data[{number}]", one))
    elif isinstance(told.get("trace"), dict):
        yield from _whole(record, told["trace"], told)
    elif isinstance(told.get("observations"), list):
        yield from _whole(record, told, told)
    elif _is_score(told):
        yield _trace(record, told, scores=(_score(told),))
    elif first(told, *TRACE_ID) and (told.get("type") or first(told, "startTime", "start_time")):
        yield _trace(record, told, spans=(_span(record, told),))
    elif "timestamp" in told or "input" in told:
        yield from _whole(record, told, {})
    else:
        raise record.fault("traceId", "is missing", "Export traces, observations or scores of Langfuse")


def _whole(record: Record, trace: Json, around: Json) -> Iterator[Trace]:
    """A trace with its observations and scores."""
    own = text(trace.get("id"))
    if not own:
        raise record.fault("id", "is missing", "Export the trace again")
    observations = [one for one in around.get("observations") or () if isinstance(one, dict)]
    spans = [_span(record, {"traceId": own, **one}) for one in observations]
    said = [*_members(trace, "scores"), *(_members(around, "scores") if around is not trace else ())]
    root = Span(id="trace", name=text(trace.get("name")), start=seconds(first(trace, *START)), **_io(trace))
    ends = [span.end for span in spans]
    yield Trace(source=TraceSource.LANGFUSE, id=own, scores=tuple(_score(one) for one in said if _is_score(one)),
                spans=(_until(root, max(ends, default=0.0)), *spans), expected=_expected(trace))  # fmt: skip


def _until(span: Span, end: float) -> Span:
    return replace(span, end=max(end, span.start))


def _trace(record: Record, told: Json, spans: tuple[Span, ...] = (), scores: tuple[Score, ...] = ()) -> Trace:
    own = text(first(told, *TRACE_ID))
    if not own:
        raise record.fault("traceId", "is missing", "Only scores of traces can be read, not those of sessions")
    return Trace(source=TraceSource.LANGFUSE, id=own, spans=spans, scores=scores, expected=_expected(told))


def _span(record: Record, told: Json) -> Span:
    own = text(told.get("id"))
    if not own:
        raise record.fault("id", "is missing", "Export the observation again")
    plain = Span(id=own, parent=text(first(told, *PARENT)), name=text(told.get("name")),
                 start=seconds(first(told, *START)), end=seconds(first(told, *END)))  # fmt: skip
    kind = text(told.get("type")).lower()
    words = {"langfuse.observation.type": kind} if kind not in ("span", "event", "") else {}
    words |= _attributes(parsed(told.get("metadata"))) | {
        "langfuse.observation.input": told.get("input"), "langfuse.observation.output": told.get("output")}  # fmt: skip
    failed = text(first(told, "statusMessage", "status_message")) if told.get("level") == "ERROR" else None
    return conventions.span(plain, words, failed=failed, kind=conventions.KINDS.get(kind))


def _attributes(metadata: Any) -> dict[str, Any]:
    """The OpenTelemetry attributes that Langfuse keeps in an observation's metadata, nested or flattened."""
    flat = conventions.flattened(metadata)
    return {name.removeprefix("attributes."): own for name, own in flat.items() if name.startswith("attributes.")}


def _io(trace: Json) -> dict[str, Any]:
    return {"input": messages(trace.get("input"), "user"), "output": messages(trace.get("output"), "assistant")}


def _members(told: Json, name: str) -> list[Json]:
    found = told.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _is_score(told: Json) -> bool:
    return "name" in told and bool({"value", "stringValue", "string_value"} & told.keys()) and "input" not in told


def _score(told: Json) -> Score:
    name, label = text(told.get("name")), text(first(told, "stringValue", "string_value"))
    value, kind = told.get("value"), text(first(told, "dataType", "data_type"))
    if isinstance(value, str):
        label, value = (label, _number(value)) if _number(value) is not None else (label or value, None)
    if isinstance(value, bool):
        label, value = label or str(value), None
    number = None if kind == "CATEGORICAL" or not isinstance(value, int | float) else float(value)
    return Score(name=name, value=number, label=label, comment=text(told.get("comment")),
                 source=_source(text(told.get("source")).upper(), name))  # fmt: skip


def _number(words: str) -> float | None:
    try:
        return float(words)
    except ValueError:
        return None


def _source(source: str, name: str) -> FeedbackSource:
    known = {"ANNOTATION": FeedbackSource.HUMAN, "EVAL": FeedbackSource.JUDGE}
    of_people = any(word in name.lower() for word in ("user", "feedback"))
    return known.get(source) or (FeedbackSource.HUMAN if of_people else FeedbackSource.ENVIRONMENT)


def _expected(told: Json) -> str | None:
    """The right answer, where the trace is of an experiment over a dataset."""
    return text(first(told, "expectedOutput", "expected_output")) or None


def _inner(record: Record, place: str, one: Any) -> Record:
    if not isinstance(one, dict):
        raise record.fault(place, "should be an object", "Export it again")
    return Record(where=f"{record.where}, {place}", fields=one)
