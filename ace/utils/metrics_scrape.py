"""What `GET /metrics` answers: the files' numbers, and the database's as far as it answers in time.

A database that hangs must not hang a scrape. Its numbers are read in a thread of their own; what has not arrived when
the time is up is left out, and `ace_scrape_errors` says which group that is. While a thread still waits no other is
sent after it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from math import inf
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from ace.config import get_settings
from ace.core.breaker import Breaker, BreakerState
from ace.errors import AceError, DeadlineExceeded
from ace.repositories.database import shared
from ace.repositories.figures_repository import FiguresRepository
from ace.utils.llm_circuit_breaker import ROLES
from ace.utils.llm_deadline import run_within
from ace.utils.metrics import rule
from ace.utils.metrics_catalogue import BY_NAME, FAMILIES, Family, Kind, Source
from ace.utils.metrics_files import totals

log = logging.getLogger(__name__)

Samples = dict[str, dict[tuple[str, ...], float]]
"""Metric name -> label values -> number."""
Parts = dict[tuple[str, ...], dict[str, float]]
"""Label values -> part of the metric -> number."""
_reading = threading.Lock()


def render(directory: Path | None, within_s: float) -> bytes:
    """The text. Without a directory, only what the database says."""
    kept = by_family(totals(directory, rule)) if directory else {}
    read = from_database(within_s)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot([*_kept(kept), *_read(read)]))
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def by_family(numbers: Mapping[str, float]) -> dict[str, Parts]:
    """The files' numbers by metric; those of a metric this release does not know are left aside."""
    found: dict[str, Parts] = {}
    for kept, value in numbers.items():
        name, part, labels = json.loads(kept)
        if name in BY_NAME and len(labels) == len(BY_NAME[name].labels):
            found.setdefault(name, {}).setdefault(tuple(labels), {})[part] = value
    return found


def from_database(within_s: float) -> Samples:
    """What the database tells in time, by metric; `ace_scrape_errors` has a number for each group."""
    found: Samples = {}
    failed = dict.fromkeys(GROUPS, 1.0)
    with suppress(DeadlineExceeded):  # `failed` says so
        run_within(within_s, lambda: _read_groups(found, failed, within_s), name="ace-metrics-read")
    return dict(found) | {"ace_scrape_errors": {(group,): value for group, value in dict(failed).items()}}


def _read_groups(found: Samples, failed: dict[str, float], within_s: float) -> None:
    if not _reading.acquire(timeout=within_s):
        return
    try:
        for group, read in GROUPS.items():
            try:
                found.update(read(_figures(get_settings().database)))
                failed[group] = 0.0
            except AceError as error:
                log.warning("metrics_incomplete", extra={"family": group, "reason": str(error)})
    finally:
        _reading.release()


@lru_cache(maxsize=4)
def _figures(url: str) -> FiguresRepository:
    return FiguresRepository(shared(url))


def _breakers(figures: FiguresRepository) -> Samples:
    rows = {name: Breaker(name=name) for name in ROLES} | {row.name: row for row in figures.breakers()}
    return {
        "circuit_breaker_state": {(row.name, state.value): float(row.state == state)
                                  for row in rows.values() for state in BreakerState},
        "circuit_breaker_failures_total": {(row.name,): float(row.total_failures) for row in rows.values()},
    }  # fmt: skip


def _bullets(figures: FiguresRepository) -> Samples:
    stages = figures.stages()
    return {
        "ace_bullets": {(stage.value,): float(number) for stage, number in stages.items()},
        "faiss_index_size_vectors": {(): float(sum(stages.values()))},
    }


def _episodes(figures: FiguresRepository) -> Samples:
    since = figures.waiting_since()
    return {
        "ace_episodes": {(state.value,): float(number) for state, number in figures.episodes().items()},
        "ace_assignments": {(state.value,): float(number) for state, number in figures.assignments().items()},
        "ace_queue_age_seconds": {(): 0.0 if since is None else max(time.time() - since, 0.0)},
    }


GROUPS: Mapping[str, Callable[[FiguresRepository], Samples]] = {
    "breakers": _breakers,
    "bullets": _bullets,
    "episodes": _episodes,
}


def _kept(kept: Mapping[str, Parts]) -> Iterator[Metric]:
    for family in FAMILIES:
        parts = kept.get(family.name, {})
        if family.source == Source.DATABASE:
            continue
        if family.kind == Kind.HISTOGRAM:
            yield _histogram(family, parts or ({} if family.labels else {(): {}}))
        else:
            empty: dict[tuple[str, ...], float] = {} if family.labels else {(): 0.0}
            yield _plain(family, empty | {labels: numbers.get("", 0.0) for labels, numbers in parts.items()})


def _read(samples: Samples) -> Iterator[Metric]:
    return (_plain(BY_NAME[name], numbers) for name, numbers in samples.items())


def _plain(family: Family, numbers: Mapping[tuple[str, ...], float]) -> Metric:
    made = CounterMetricFamily if family.kind == Kind.COUNTER else GaugeMetricFamily
    metric = made(family.name, family.says, labels=family.labels)
    for labels, value in sorted(numbers.items()):
        metric.add_metric(labels, value)
    return metric


def _histogram(family: Family, parts: Parts) -> Metric:
    metric = HistogramMetricFamily(family.name, family.says, labels=family.labels)
    for labels, numbers in sorted(parts.items()):
        counted = [(float(upper), number) for upper, number in numbers.items() if upper != "sum"]
        upto = {bound: sum(number for upper, number in counted if upper <= bound) for bound in (*family.buckets, inf)}
        buckets = [("+Inf" if bound == inf else str(float(bound)), number) for bound, number in upto.items()]
        metric.add_metric(labels, buckets, numbers.get("sum", 0.0))
    return metric
