"""Traces by OpenTelemetry, when OTEL_EXPORTER_OTLP_ENDPOINT names where they go; else nothing, at the cost of a call.

    span                   of                                       attributes
    <METHOD> <route>       a request (`ObservedRequests`)           http.request.method, http.route, …
    retrieval              finding the bullets for a question
    merge                  a batch_merge                            ace.tasks, ace.insights
    chat <model>           a call of a language model               gen_ai.* (see `llm_span`)

No span holds a question, a prompt, an answer or a bullet. GenAI's names are those of
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ as of 2026.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from ace.errors import MissingExtra

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

    from ace.models.task import Usage

Attributes = Mapping[str, str | int | float | bool]
FLUSH_S = 2.0
LEAST_WAIT_S, MOST_SPANS = 5, 2048
_OFF: AbstractContextManager[None] = nullcontext()
_tracer: Tracer | None = None
_provider: TracerProvider | None = None


def enable(endpoint: str | None, *, component: str) -> None:
    """Send spans to an OTLP/HTTP collector, such as http://localhost:4318; None: do nothing.

    Raises MissingExtra when the extra `otel` is not installed.
    """
    global _tracer, _provider
    if endpoint is None or _tracer is not None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtra("opentelemetry", "otel") from error
    from ace import __version__

    names = {"service.name": f"ace-{component.replace('_', '-')}", "service.version": __version__}
    _provider = TracerProvider(resource=Resource.create(names))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=LEAST_WAIT_S)
    _provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=MOST_SPANS))
    _tracer = _provider.get_tracer("ace", __version__)
    atexit.register(disable)


def disable() -> None:
    """Send what is left, for at most FLUSH_S seconds, and trace no more."""
    global _tracer, _provider
    provider, _tracer, _provider = _provider, None, None
    atexit.unregister(disable)
    if provider is not None:
        provider.force_flush(int(FLUSH_S * 1000))
        provider.shutdown()


def is_enabled() -> bool:
    return _tracer is not None


def span(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span | None]:
    """`with span("merge"):` is one span, under the one around it. Of an error that passes through the type is noted."""
    if _tracer is None:
        return _OFF
    return _traced(_tracer, name, attributes=attributes)


def server_span(name: str, headers: Mapping[str, str]) -> AbstractContextManager[Span | None]:
    """The span of a request, in the trace its `traceparent` header names."""
    if _tracer is None:
        return _OFF
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract(headers)
    return _traced(_tracer, name, context=context, kind=SpanKind.SERVER)


def llm_span(model: str, options: Mapping[str, Any]) -> AbstractContextManager[Span | None]:
    """The span of one model call. `model` as DSPy names it: provider, slash, name."""
    if _tracer is None:
        return _OFF
    from opentelemetry.trace import SpanKind

    provider, _, name = model.rpartition("/")
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider or "unknown",
        "gen_ai.request.model": name,
    }
    given = {f"gen_ai.request.{option}": options.get(option) for option in ("max_tokens", "temperature", "seed")}
    attributes |= {key: value for key, value in given.items() if value is not None}
    return _traced(_tracer, f"chat {name}", kind=SpanKind.CLIENT, attributes=attributes)


def add_usage(span: Span | None, usage: Usage) -> None:
    """Say on a model call's span what it used."""
    if span is not None:
        span.set_attribute("gen_ai.usage.input_tokens", usage.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", usage.completion_tokens)
        span.set_attribute("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens)


def trace_id() -> str | None:
    """The trace this code runs in, as 32 hex digits."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


@contextmanager
def _traced(tracer: Tracer, name: str, **options: Any) -> Iterator[Span]:
    """A span; of an error only its type is kept, since its text may repeat what was asked or answered."""
    from opentelemetry.trace import StatusCode

    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False, **options) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise
