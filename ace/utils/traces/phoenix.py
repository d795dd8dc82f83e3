"""Arize Phoenix (12 and later): what its pages, its `px` command, its API and its client give, as JSON, JSONL or CSV.

    traces, Download selection, JSONL    a span a line: {"context": {…}, "attributes": {…}, "annotations": […]}
    px trace list, px trace get          {"traceId", "spans": [{…}], "annotations": [{…}]}
    GET /v1/projects/{p}/spans           {"data": [{…}]}
    get_spans_dataframe().to_json(…)     {"context.trace_id", "context.span_id", "attributes.input.value", …}
    the same, to_csv(…)                  columns of that; lists in it are not JSON: only input and output count

    an annotation's annotator_kind       is, as a verifier
    HUMAN, LLM, CODE                     human, llm_judge, test

Parquet is not read, nor annotations in a file of their own: take them along with their spans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ace.models.task import FeedbackSource
from ace.models.trace import Score, Span, Trace, TraceSource
from ace.utils.traces import attributes as conventions
from ace.utils.traces.blocks import Json, first, text
from ace.utils.traces.messages import parsed
from ace.utils.traces.records import Record
from ace.utils.traces.times import seconds

SOURCES = {"HUMAN": FeedbackSource.HUMAN, "LLM": FeedbackSource.JUDGE, "CODE": FeedbackSource.TESTS}
LISTS = ("data", "spans")


def traces(record: Record) -> Iterator[Trace]:
    """The parts of traces in one object of an export. Raises InvalidInput naming what is missing."""
    told = record.fields
    name = next((name for name in LISTS if isinstance(told.get(name), list)), None)
    if name is None:
        yield _part(record, conventions.flattened({k: parsed(v) if k == "context" else v for k, v in told.items()}))
        return
    for number, one in enumerate(told[name]):
        place = f"{name}[{number}]"
        if not isinstance(one, dict):
            raise record.fault(place, "should be an object", "Export it again")
        yield from traces(Record(where=f"{record.where}, {place}", fields=one))
    if own := text(first(told, "traceId", "trace_id")):
        yield Trace(source=TraceSource.PHOENIX, id=own, scores=_scores(told.get("annotations")))


def _part(record: Record, told: Json) -> Trace:
    trace_id = text(first(told, "context.trace_id", "trace_id", "traceId"))
    own = text(first(told, "context.span_id", "span_id", "spanId"))
    for name, value in (("context.trace_id", trace_id), ("context.span_id", own)):
        if not value:
            raise record.fault(name, "is missing", "Export the spans, with their context")
    scores = (*_scores(told.get("annotations")), *_scores(told.get("span_annotations")))
    return Trace(source=TraceSource.PHOENIX, id=trace_id, spans=(_span(told, own),), scores=scores)


def _span(told: Json, own: str) -> Span:
    words = {name.removeprefix("attributes."): value for name, value in told.items()
             if name.startswith("attributes.") and not _is_printed(name, value)}  # fmt: skip
    if (kind := text(told.get("span_kind"))) not in ("", "UNKNOWN"):
        words.setdefault("openinference.span.kind", kind)
    plain = Span(id=own, parent=text(first(told, "parent_id", "parentId")), name=text(told.get("name")),
                 start=seconds(told.get("start_time")), end=seconds(told.get("end_time")))  # fmt: skip
    events = [
        (text(one.get("name")), conventions.flattened(one.get("attributes"))) for one in _objects(told.get("events"))
    ]
    failed = text(told.get("status_message")) if told.get("status_code") == "ERROR" else None
    return conventions.span(plain, words, events, failed=failed)


def _is_printed(name: str, value: Any) -> bool:
    """Is it a list of messages as Python prints it? So are lists in CSV, and nothing reads them again."""
    return name.endswith("_messages") and isinstance(parsed(value), str)


def _objects(value: Any) -> list[Json]:
    found = parsed(value)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _scores(annotations: Any) -> tuple[Score, ...]:
    return tuple(_score(one) for one in _objects(annotations) if one.get("name") and one.get("name") != "note")


def _score(told: Json) -> Score:
    said = told["result"] if isinstance(told.get("result"), Mapping) else told
    value = said.get("score")
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return Score(name=text(told["name"]), value=number, label=text(said.get("label")),
                 comment=text(said.get("explanation")), source=_source(told))  # fmt: skip


def _source(told: Json) -> FeedbackSource:
    return SOURCES.get(text(first(told, "annotator_kind", "annotatorKind")).upper(), FeedbackSource.ENVIRONMENT)
