"""Files of traces, whatever wrote them: every trace once, its parts put together; what could not be read, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ace.core.gathering import joined
from ace.core.traces import episode_id
from ace.errors import InvalidInput
from ace.models.trace import Trace, TraceSource
from ace.utils.traces import chats, langfuse, otlp, phoenix, records
from ace.utils.traces.records import Record

Reader = Callable[[Record], Iterator[Trace | InvalidInput]]
READERS: Mapping[TraceSource, Reader] = {
    TraceSource.OTLP: otlp.traces,
    TraceSource.CHATS: chats.traces,
    TraceSource.LANGFUSE: langfuse.traces,
    TraceSource.PHOENIX: phoenix.traces,
}
SIGNS: tuple[tuple[TraceSource, frozenset[str]], ...] = (
    (TraceSource.OTLP, frozenset({"resourceSpans", "resourceLogs"})),
    (TraceSource.CHATS, frozenset({"messages", "conversations", "conversation", "completion"})),
    (TraceSource.PHOENIX, frozenset({"context", "context.trace_id", "spans", "span_kind"})),
    (TraceSource.LANGFUSE, frozenset({"trace", "observations", "traceId", "trace_id", "timestamp", "dataType"})),
)
ENDINGS = (".json", ".jsonl", ".ndjson", ".csv")


@dataclass(kw_only=True, slots=True)
class Found:
    """The traces of some files by their episodes' ids, where each begins, and what was passed over."""

    traces: dict[str, Trace] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    skipped: list[InvalidInput] = field(default_factory=list)


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files: those named, and in a folder that is named those with an ending we know, by name."""
    found = [sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS) if path.is_dir() else [path]
             for path in paths]  # fmt: skip
    return [file for files in found for file in files]


def load(file: Path, found: Found, source: TraceSource | None = None) -> None:
    """Add what the file holds. Raises InvalidInput when it cannot be read at all."""
    for record in records.read(file):
        if isinstance(record, InvalidInput):
            found.skipped.append(record)
            continue
        try:
            source = source or detect(record)
        except InvalidInput as error:
            found.skipped.append(error)
            return
        _add(record, READERS[source], found)


def detect(record: Record) -> TraceSource:
    """What wrote a record, by the names of its fields. Raises InvalidInput when they do not say."""
    fields = record.fields
    inner = fields.get("data")
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):
        fields = inner[0]
    for source, names in SIGNS:
        if names & fields.keys():
            return source
    known = ", ".join(TraceSource)
    raise record.fault("fields", f"{', '.join(list(fields)[:6])[:120]} tell no format", f"Say --from {known}")


def _add(record: Record, reader: Reader, found: Found) -> None:
    try:
        for part in reader(record):
            if isinstance(part, InvalidInput):
                found.skipped.append(part)
                continue
            empty = replace(part, spans=(), scores=(), expected=None)
            key = episode_id(part)
            found.traces[key] = joined(found.traces.get(key, empty), part)
            found.places.setdefault(key, record.where)
    except InvalidInput as error:
        found.skipped.append(error)
