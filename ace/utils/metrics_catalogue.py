"""Every metric there is, as a table: what it is called, what it counts, and where its number comes from.

    kept in    the number is                                                      of processes that are gone
    EVENTS     counted when the thing happens, summed over processes              kept
    LATEST     set when the thing happens, the greatest over processes            kept
    LIVE       set by each process every few seconds, summed over processes       forgotten
    DATABASE   read when somebody asks                                            –

No label holds a domain, an id or a path: each has few values, listed or made by this code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What Prometheus calls it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Where the number comes from; see the table above."""

    EVENTS = "events"
    LATEST = "latest"
    LIVE = "live"
    DATABASE = "database"


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One metric. `buckets` are a histogram's upper bounds, without infinity."""

    name: str
    kind: Kind
    source: Source
    says: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


MILLISECONDS = (0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 25, 50, 100, 250, 1000)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LLM_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


def _counter(name: str, says: str, *labels: str, source: Source = Source.EVENTS) -> Family:
    return Family(name=name, kind=Kind.COUNTER, source=source, says=says, labels=labels)


def _gauge(name: str, source: Source, says: str, *labels: str) -> Family:
    return Family(name=name, kind=Kind.GAUGE, source=source, says=says, labels=labels)


def _histogram(name: str, buckets: tuple[float, ...], says: str, *labels: str) -> Family:
    return Family(name=name, kind=Kind.HISTOGRAM, source=Source.EVENTS, says=says, labels=labels, buckets=buckets)


FAMILIES = (
    _histogram("playbook_retrieval_latency_ms", MILLISECONDS, "Milliseconds to find the bullets for a question."),
    _histogram("faiss_search_latency_ms", MILLISECONDS, "Milliseconds of one search of the index."),
    _histogram("batch_merge_duration_seconds", SECONDS, "Seconds of one merge, failed ones too."),
    _counter("http_requests_total", "Requests answered.", "method", "route", "status"),
    _histogram("ace_http_request_duration_seconds", SECONDS, "Seconds until a request was answered.", "route"),
    _counter("ace_proxy_requests_total", "Model requests through the proxy: with bullets, none that fits, passed as no "
             "completion, refused, unanswered or broken by the provider, or why they went on without us.", "outcome"),
    _histogram("ace_proxy_delay_seconds", SECONDS, "Seconds until a model request was sent on."),
    _gauge("circuit_breaker_state", Source.DATABASE, "1 for the state a breaker is in, 0 for the others.",
           "name", "state"),
    _counter("circuit_breaker_failures_total", "Calls a breaker has seen fail.", "name", source=Source.DATABASE),
    _counter("llm_api_errors_total", "Tries of a model call that failed, those tried again too.", "kind"),
    _counter("ace_llm_calls_total", "Calls a language model answered.", "model"),
    _counter("ace_llm_tokens_total", "Tokens read (input), taken from a prefix cache (cached), written (output).",
             "model", "type"),
    _counter("ace_llm_cost_usd_total", "US dollars the calls cost, where the price is known.", "model"),
    _histogram("ace_llm_call_duration_seconds", LLM_SECONDS, "Seconds of one answered model call.", "model"),
    _gauge("process_resident_memory_bytes", Source.LIVE, "Memory of all running processes together."),
    _gauge("database_connections_active", Source.LIVE, "Database connections open in all running processes."),
    _gauge("ace_processes", Source.LIVE, "Running processes of this data directory."),
    _gauge("faiss_index_size_vectors", Source.DATABASE, "Vectors the indexes of all domains hold."),
    _gauge("ace_bullets", Source.DATABASE, "Bullets in each stage.", "stage"),
    _counter("bullets_added_total", "Bullets added to a playbook."),
    _counter("bullets_promoted_total", "Bullets moved up a stage."),
    _counter("ace_bullets_quarantined_total", "Bullets put into quarantine."),
    _counter("ace_bullets_archived_total", "Bullets archived: superseded, unused, room (none left), person (by hand).",
             "reason"),
    _counter("ace_guardrail_trips_total", "Times a release was shown to be worse than the one before.",
             "kind", "action"),
    _counter("insights_processed_total", "Insights merged, whatever became of them."),
    _counter("ace_reflections_total", "Episodes a worker has finished with.", "outcome"),
    _gauge("ace_episodes", Source.DATABASE, "Episodes in each state.", "state"),
    _gauge("ace_assignments", Source.DATABASE, "Tasks that runs have queued for workers, in each state.", "state"),
    _gauge("ace_queue_age_seconds", Source.DATABASE, "Age of the oldest episode that still waits; 0 when none does."),
    _gauge("ace_stage_manager_last_run_timestamp_seconds", Source.LATEST,
           "When the stage manager last finished, in seconds since 1970; 0 when it never has."),
    _gauge("ace_scrape_errors", Source.DATABASE, "1 for a group of metrics left out because it could not be read.",
           "family"),
)  # fmt: skip
BY_NAME = {family.name: family for family in FAMILIES}


def markdown() -> str:
    """docs/reference/metrics.md."""
    rows = [f"| `{one.name}` | {one.kind} | {_ticked(one.labels)} | {one.source} | {one.says} |" for one in FAMILIES]
    bounds: dict[tuple[float, ...], list[str]] = {}
    for one in FAMILIES:
        if one.buckets:
            bounds.setdefault(one.buckets, []).append(f"`{one.name}`")
    buckets = [f"| {', '.join(names)} | {', '.join(f'{bound:g}' for bound in upper)} |"
               for upper, names in bounds.items()]  # fmt: skip
    return "\n".join((*_HEAD, *rows, *_BUCKETS, *buckets, ""))


def _ticked(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


_HEAD = (
    "# Metrics",
    "",
    "Generated from `ace/utils/metrics_catalogue.py` by `python docs/reference/generate.py`.",
    "What `GET /metrics` tells is the sum over all processes of one data directory.",
    "",
    "| metric | kind | labels | comes from | says |",
    "| --- | --- | --- | --- | --- |",
)
_BUCKETS = ("", "## Buckets", "", "| histograms | upper bounds |", "| --- | --- |")
