"""`POST /otlp/{domain}/v1/traces`, `…/v1/logs`: what OpenTelemetry's exporters send of an agent (OTLP/HTTP 1.x).

    OTEL_EXPORTER_OTLP_ENDPOINT=http://host:8000/otlp/mydomain      is all that an agent has to be told

    taken                                  200   durable; what says nothing of an agent's work is passed over
    some spans cannot be read or kept      200   partialSuccess: how many, and why
    no OTLP, no protobuf without `otel`    400, 415: an exporter does not try again
    too large, as sent or as unpacked      413
    keys, domains, limits, outages         as everywhere: 401 403 404 429 503 504

Errors are a google.rpc.Status, in the form the request came in.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from ace.bootstrap import App
from ace.errors import NotFound
from ace.models.access import Principal, Role
from ace.services.gathering import Gathered
from ace.utils.traces import otlp, otlp_wire
from ace.utils.traces.otlp import Export
from ace.utils.traces.otlp_wire import ENCODINGS, JSON, PROTOBUF, Signal
from ace.web.access import LET_IN, Gate, needs
from ace.web.border import LetIn, Scope
from ace.web.problems import Problem

PREFIX = "/otlp/"
_PLACE = re.compile(r"/otlp/([^/]+)/v1/(traces|logs)")
MUTE = (
    "Calls of models came without messages, and nothing can be learned from them. Let your instrumentation capture "
    "content, for many by OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true or =SPAN_AND_EVENT."
)
LATE = "Spans came after their trace had been learned from; they were not read."
STATUSES = {"The server is not set up for this": 415, "Invalid input": 400}
"""Where OTLP says it otherwise: an exporter would try a 503 again and again."""

router = APIRouter(include_in_schema=False)


async def raw_body(request: Request) -> bytes:
    """The bytes as they were sent; the border has bounded them."""
    return await request.body()


async def headers_of(request: Request) -> tuple[str, str]:
    """What the body is, and how it is compressed."""
    return media_type(request.scope), encoding(request.scope)


Body = Annotated[bytes, Depends(raw_body)]
Form = Annotated[tuple[str, str], Depends(headers_of)]


@router.post("/otlp/{domain}/v1/traces")
@needs(Role.WRITE)
def traces(domain: str, body: Body, form: Form, caller: Principal, app: App) -> Response:
    """Take spans in: each trace becomes an episode, which reflectors learn from."""
    return _take(app, caller, domain, Signal.TRACES, body, *form)


@router.post("/otlp/{domain}/v1/logs")
@needs(Role.WRITE)
def logs(domain: str, body: Body, form: Form, caller: Principal, app: App) -> Response:
    """Take in the messages that some instrumentations send as events, beside their spans."""
    return _take(app, caller, domain, Signal.LOGS, body, *form)


def _take(app: App, caller: Principal, domain: str, signal: Signal, body: bytes, content_type: str, packed: str
          ) -> Response:  # fmt: skip
    limit = app.settings.otlp_max_body_bytes
    told = otlp.export(otlp_wire.body(body, signal, content_type=content_type, encoding=packed, limit=limit))
    gathered = app.gathering.take(domain, told.traces, told.ended, caller.key_id)
    rejected = len(told.faults) + gathered.refused
    answer = otlp_wire.accepted(content_type, signal, rejected, _words(told, gathered))
    return Response(answer, media_type=content_type)


def let_in(gate: Gate) -> LetIn:
    """Whoever sends something here must be one who may, and to a place that is here, before a large body is read."""

    def look(scope: Scope) -> None:
        place = _PLACE.fullmatch(scope["path"])
        scope["route"] = SimpleNamespace(path=f"{PREFIX}{{domain}}/v1/{place[2]}" if place else "unknown")
        scope[LET_IN] = gate.enter(Request(scope), Role.WRITE, place[1] if place else None)
        if place is None:
            raise NotFound(
                f"{scope['method']} {scope['path']}: Not Found. Send to {PREFIX}<domain>/v1/traces or /logs."
            )

    return look


def check(scope: Scope, body: bytes) -> Problem | None:
    """A problem unless the body says that it is OTLP. What is in it is read in a thread."""
    del body
    if media_type(scope) not in (PROTOBUF, JSON):
        return Problem(415, "Not OTLP", f"Send Content-Type: {PROTOBUF} or {JSON}.", field="Content-Type")
    if encoding(scope) not in ENCODINGS:
        return Problem(415, "Not gzip", "Send it as it is, or compressed by gzip.", field="Content-Encoding")
    return None


def as_status(scope: Scope, problem: Problem) -> Response:
    """The problem as exporters read it."""
    form = PROTOBUF if media_type(scope) == PROTOBUF else JSON
    status = STATUSES.get(problem.title, problem.status_code)
    kept = {name: value for name, value in problem.headers.items() if name not in ("content-length", "content-type")}
    return Response(otlp_wire.refused(form, problem.detail), status, headers=kept, media_type=form)


def media_type(scope: Scope) -> str:
    return _header(scope, b"content-type").split(";")[0].strip()


def encoding(scope: Scope) -> str:
    return _header(scope, b"content-encoding").strip()


def _header(scope: Scope, name: bytes) -> str:
    return str(dict(scope["headers"]).get(name, b"").decode("latin-1").lower())


def _words(told: Export, gathered: Gathered) -> str:
    """What whoever exports should know."""
    first = [f"{told.faults[0]} {len(told.faults)} spans cannot be read."] if told.faults else []
    return " ".join([*first, *filter(None, (gathered.why, MUTE if told.mute else "", LATE if gathered.late else ""))])
