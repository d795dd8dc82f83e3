"""OTLP, as JSON (opentelemetry-proto 1.x): an ExportTraceServiceRequest, or one of logs with the messages of its spans.

    {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId", "spanId", "parentSpanId", "name", "attributes", …}]}]}]}
    {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId", "spanId", "eventName", "body", "attributes"}]}]}]}

The collector's file exporter writes one of them a line. What the protobuf form says is the same, see `otlp_wire`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ace.errors import InvalidInput
from ace.models.trace import Span, SpanKind, Trace, TraceSource
from ace.utils.traces import attributes as conventions
from ace.utils.traces.attributes import Event
from ace.utils.traces.blocks import Json, text
from ace.utils.traces.records import Record

TRACE_ID, SPAN_ID = re.compile("[0-9a-fA-F]{32}"), re.compile("[0-9a-fA-F]{16}")
ERROR = (2, "2", "STATUS_CODE_ERROR")
MAX_DEPTH = 20
LOGS = ".logRecords["


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """What one request holds: parts of traces, those whose root span it has, and the spans that cannot be read.

    `mute`: calls of models without a word of what was asked or said.
    """

    traces: Sequence[Trace]
    ended: frozenset[str]
    faults: Sequence[InvalidInput]
    mute: int = 0


def traces(record: Record) -> Iterator[Trace | InvalidInput]:
    """The parts of traces in one line of a file."""
    found = export(record.fields, record.where)
    yield from found.faults
    yield from found.traces


def export(body: Json, where: str = "body") -> Export:
    """The parts of traces in a request's body. Raises InvalidInput when it is no such request."""
    if not {"resourceSpans", "resourceLogs"} & body.keys() and body:
        raise InvalidInput(f"{where}, resourceSpans", "is missing", "Send an ExportTraceServiceRequest")
    found: dict[str, Trace] = {}
    silent: dict[str, list[Span]] = {}
    ended, faults, mute = set(), [], 0
    for place, told in (*_each(body, "Spans", "spans", where), *_each(body, "Logs", "logRecords", where)):
        try:
            part, last = _part(told, place)
        except InvalidInput as error:
            faults.append(error)
            continue
        ended |= {part.id} if last else set()
        if part.scores or part.spans[0].says_something:
            known = found.get(part.id, replace(part, spans=(), scores=()))
            found[part.id] = replace(known, spans=(*known.spans, *part.spans), scores=(*known.scores, *part.scores))
        elif part.spans[0].kind != SpanKind.OTHER:
            mute += part.spans[0].kind == SpanKind.MODEL and LOGS not in place
            silent.setdefault(part.id, []).append(part.spans[0])
    for own, spans in silent.items():  # they tell what is inside of what, where there is something to tell
        if own in found:
            found[own] = replace(found[own], spans=(*found[own].spans, *spans))
    return Export(traces=tuple(found.values()), ended=frozenset(ended), faults=faults, mute=mute)


def _each(body: Json, signal: str, items: str, where: str) -> Iterator[tuple[str, Any]]:
    """Every span, or every record of a log, with its path."""
    for n, resource in enumerate(_list(body, f"resource{signal}", where)):
        for m, scope in enumerate(_list(resource, f"scope{signal}", f"{where}, resource{signal}[{n}]")):
            path = f"resource{signal}[{n}].scope{signal}[{m}].{items}"
            for k, told in enumerate(_list(scope, items, f"{where}, {path}")):
                yield f"{where}, {path}[{k}]", told


def _list(value: Any, name: str, where: str) -> list[Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    if found is not None and not isinstance(found, list):
        raise InvalidInput(f"{where}, {name}", "should be an array", "Send OTLP as its JSON form has it")
    return found or []


def _part(told: Any, place: str) -> tuple[Trace, bool]:
    """The trace with this one span in it; is it the root?"""
    if not isinstance(told, Mapping):
        raise InvalidInput(place, "should be an object", "Send OTLP as its JSON form has it")
    trace_id, own = _id(told, "traceId", TRACE_ID, place), _id(told, "spanId", SPAN_ID, place)
    words = values(told.get("attributes"))
    if LOGS in place:
        event = (str(told.get("eventName") or words.get("event.name") or ""), words | _body(told.get("body")))
        heard, said = conventions.told_by_events([event])
        at = _seconds(told.get("timeUnixNano") or told.get("observedTimeUnixNano"))
        span = Span(id=own, kind=SpanKind.MODEL, start=at, end=at, input=heard, output=said)
        scores, last = conventions.scores({}, [event]), False
    else:
        events = [_event(one) for one in told.get("events") or () if isinstance(one, Mapping)]
        span, scores = _span(told, own, words, events), conventions.scores(words, events)
        last = not told.get("parentSpanId")
    return Trace(source=TraceSource.OTLP, id=trace_id, spans=(span,), scores=tuple(scores)), last


def _span(told: Json, own: str, words: Json, events: Sequence[Event]) -> Span:
    status = told.get("status") if isinstance(told.get("status"), Mapping) else {}
    failed = text(status.get("message")) if status and status.get("code") in ERROR else None
    plain = Span(id=own, parent=str(told.get("parentSpanId") or "").lower(), name=text(told.get("name")),
                 start=_seconds(told.get("startTimeUnixNano")), end=_seconds(told.get("endTimeUnixNano")))  # fmt: skip
    return conventions.span(plain, words, events, failed=failed)


def values(attributes: Any) -> dict[str, Any]:
    """`[{"key", "value": {"stringValue"}}]` as a plain object."""
    told = [one for one in attributes or () if isinstance(one, Mapping)] if isinstance(attributes, list) else []
    return {str(one.get("key")): _value(one.get("value")) for one in told}


def _value(value: Any, depth: int = 0) -> Any:
    if not isinstance(value, Mapping) or depth > MAX_DEPTH:
        return None
    kind, said = next(((name, own) for name, own in value.items()), ("", None))
    if kind == "arrayValue":
        return [_value(one, depth + 1) for one in _members(said)]
    if kind == "kvlistValue":
        return {str(one.get("key")): _value(one.get("value"), depth + 1) for one in _members(said)
                if isinstance(one, Mapping)}  # fmt: skip
    if kind == "intValue":
        return int(str(said)) if str(said).removeprefix("-").isdecimal() else None
    return None if kind == "bytesValue" else said


def _members(said: Any) -> list[Any]:
    found = said.get("values") if isinstance(said, Mapping) else None
    return found if isinstance(found, list) else []


def _body(body: Any) -> dict[str, Any]:
    found = _value(body)
    return found if isinstance(found, dict) else {}


def _event(told: Json) -> Event:
    return str(told.get("name") or ""), values(told.get("attributes"))


def _id(told: Json, name: str, form: re.Pattern[str], place: str) -> str:
    found = told.get(name)
    if not isinstance(found, str) or not form.fullmatch(found) or not found.strip("0"):
        digits = 32 if form is TRACE_ID else 16
        raise InvalidInput(f"{place}.{name}", f"should be {digits} hexadecimal digits, not all 0", "Send OTLP's ids")
    return found.lower()


def _seconds(nanoseconds: Any) -> float:
    digits = str(nanoseconds or 0)
    return int(digits) / 1e9 if digits.isdecimal() and len(digits) < 20 else 0.0
