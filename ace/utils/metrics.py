"""Metrics: counted when things happen, summed over the processes of a data directory, told to Prometheus.

    enable(data_dir)                      a door calls this once; before it, and without it, nothing is counted
    count(name, *labels)                  a counter goes up
    observe(name, value, *labels)         a histogram gets a value
    exposition()                          what `GET /metrics` answers, as bytes; CONTENT_TYPE goes with it

What there is to count stands in `ace.utils.metrics_catalogue`, how it outlives a process in `ace.utils.metrics_files`.
Core and services know nothing of this: adapters are wrapped where they are wired (`ace.utils.metered`), and doors
call the functions below with what a service has returned. Counting takes one to three microseconds.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from ace.errors import AceError
from ace.models.refining import cause_of
from ace.utils.metrics_catalogue import BY_NAME, Source

if TYPE_CHECKING:
    from ace.models.journal import Entry
    from ace.models.task import Usage
    from ace.utils.metrics_files import Sheet

PULSE_S = 5.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
COUNTED = {"add": "bullets_added_total", "promote": "bullets_promoted_total",
           "quarantine": "ace_bullets_quarantined_total"}  # fmt: skip
"""The journal's entries that are counted, by kind."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = logging.getLogger(__name__)
_sheet: Sheet | None = None
_enabling = threading.Lock()


def enable(data_dir: Path) -> None:
    """Count from now on, into `<data_dir>/metrics`; a second call for the same directory does nothing.

    Raises StoreUnavailable when the directory cannot be written.
    """
    from ace.utils.metrics_files import Sheet

    global _sheet
    directory = (data_dir / "metrics").absolute()
    with _enabling:
        if _sheet is not None:
            if _sheet.directory == directory:
                return
            _sheet.close()
        _sheet = Sheet(directory)
    clean_up(directory)
    pulse(_sheet)
    threading.Thread(target=_pulses, args=(_sheet,), name="ace-metrics", daemon=True).start()


def disable() -> None:
    """Stop counting in this process; what was counted stays."""
    global _sheet
    with _enabling:
        sheet, _sheet = _sheet, None
    if sheet is not None:
        sheet.close()


def count(name: str, *labels: str, by: float = 1.0) -> None:
    """Add to a counter. `labels` are values, in the order of the catalogue."""
    sheet = _sheet
    if sheet is not None:
        sheet.add(key(name, "", *labels), by)


def observe(name: str, value: float, *labels: str) -> None:
    """Put a value into a histogram."""
    sheet = _sheet
    if sheet is not None:
        buckets = BY_NAME[name].buckets
        position = bisect_left(buckets, value)
        bucket, total = _histogram_keys(name, buckets[position] if position < len(buckets) else inf, *labels)
        sheet.add(bucket, 1.0, (total, value))


def timed(name: str, *labels: str) -> Timer:
    """`with timed(name):` puts how long it took into a histogram, in the unit of its name; errors count too."""
    return Timer(name, labels, 1000.0 if name.endswith("_ms") else 1.0)


class Timer:
    """See `timed`."""

    __slots__ = ("_labels", "_name", "_scale", "_started")

    def __init__(self, name: str, labels: tuple[str, ...], scale: float) -> None:
        self._name, self._labels, self._scale = name, labels, scale

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        observe(self._name, (time.perf_counter() - self._started) * self._scale, *self._labels)


def request_answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count one HTTP request; `route` is a template, never a path."""
    count("http_requests_total", method if method in METHODS else "OTHER", route, str(status))
    observe("ace_http_request_duration_seconds", seconds, route)


def request_proxied(outcome: str, seconds: float) -> None:
    """Count one model request, and how long our side held it up."""
    count("ace_proxy_requests_total", outcome)
    observe("ace_proxy_delay_seconds", seconds)


def entries_committed(entries: Sequence[Entry]) -> None:
    """Count what a transaction has journalled."""
    for entry in entries:
        if entry.kind in COUNTED:
            count(COUNTED[entry.kind])
        elif entry.kind == "archive":
            count("ace_bullets_archived_total", cause_of(entry.body["reason"], entry.body.get("superseded_by")).value)


def llm_error(kind: str) -> None:
    """Count one failed try of a model call; kinds are those of `ace.utils.llm_errors.kind_of`."""
    count("llm_api_errors_total", kind)


def llm_answered(model: str, usage: Usage, seconds: float) -> None:
    """Count one answered model call."""
    count("ace_llm_calls_total", model)
    tokens = (("input", usage.prompt_tokens), ("cached", usage.cached_tokens), ("output", usage.completion_tokens))
    for kind, used in tokens:
        count("ace_llm_tokens_total", model, kind, by=used)
    count("ace_llm_cost_usd_total", model, by=usage.cost_usd)
    observe("ace_llm_call_duration_seconds", seconds, model)


def reflection_finished(outcome: str) -> None:
    """Count an episode a worker is done with; `outcome` is one of few words, such as `done`, `retry`, `dead`."""
    count("ace_reflections_total", outcome)


def guardrail_tripped(kind: str, action: str) -> None:
    """Count a release that is shown to be worse: `success`, `errors` or `latency`; `rolled_back` or `told`."""
    count("ace_guardrail_trips_total", kind, action)


def stage_manager_ran(now: float) -> None:
    """Note that the stage manager has finished, at `now` (seconds since 1970)."""
    if _sheet is not None:
        _sheet.put(key("ace_stage_manager_last_run_timestamp_seconds", ""), now)


def exposition(*, within_s: float = 1.0) -> bytes:
    """All metrics as Prometheus reads them. What the database does not tell within `within_s` is left out."""
    from ace.utils.metrics_scrape import render

    sheet = _sheet
    if sheet is not None:
        clean_up(sheet.directory)
        pulse(sheet)
    return render(sheet.directory if sheet else None, within_s)


@lru_cache(maxsize=4096)
def key(name: str, part: str, *labels: str) -> str:
    """Where a number is kept: metric, part of a histogram, label values."""
    if len(labels) != len(BY_NAME[name].labels):
        raise ValueError(f"{name} has the labels {BY_NAME[name].labels}, not {len(labels)} of them")
    return json.dumps([name, part, labels])


def rule(kept: str) -> Callable[[float, float], float] | None:
    """How two processes' numbers become one; None: a living process's, added up."""
    family = BY_NAME.get(kept[2 : kept.find('"', 2)])
    if family is None or family.source == Source.EVENTS:
        return float.__add__
    return max if family.source == Source.LATEST else None


def pulse(sheet: Sheet) -> None:
    """Write down what this process uses now."""
    import psutil

    from ace.repositories.database import open_connections

    sheet.put(key("process_resident_memory_bytes", ""), float(psutil.Process().memory_info().rss))
    sheet.put(key("database_connections_active", ""), float(open_connections()))
    sheet.put(key("ace_processes", ""), 1.0)


def clean_up(directory: Path) -> None:
    """Fold the files of processes that are gone; a disk that refuses is logged, and tried again the next time."""
    from ace.utils.metrics_files import sweep

    try:
        sweep(directory, rule)
    except AceError as error:
        log.warning("metrics_not_swept", extra={"reason": str(error)})


@lru_cache(maxsize=4096)
def _histogram_keys(name: str, upper: float, *labels: str) -> tuple[str, str]:
    return key(name, str(upper), *labels), key(name, "sum", *labels)


def _pulses(sheet: Sheet) -> None:
    while sheet is _sheet:
        time.sleep(PULSE_S)
        pulse(sheet)
