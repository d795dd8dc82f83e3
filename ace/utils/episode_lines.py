"""A file of episodes: one report a line, as it is sent over HTTP (docs/guides/http.md), without a receipt.

{"episode_id": "e1", "task": "What is 3 / 4?", "answer": "0.7", "outcome": {"correct": false, "verifier": "test"}}

A report without an `episode_id` is known by its content, so that the same file again is the same episodes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ace.core.journal import canonical, digest
from ace.errors import InvalidInput
from ace.models.episode import Episode
from ace.utils.episode_report import EpisodeReport, to_episode
from ace.utils.json_lines import Row, parse_rows, read_bytes


def is_episodes(file: Path) -> bool:
    """Does the file hold episodes? They have a `task`, tasks have a `question`. Raises InvalidInput."""
    first = read_bytes(file).lstrip().split(b"\n", 1)[0]
    fields = parse_rows(file, first)[0].fields
    return "task" in fields and "question" not in fields


def read_episodes(file: Path, domain_id: str, now: float, limit: int | None = None) -> list[tuple[Row, Episode]]:
    """Every episode with its line, or none: raises InvalidInput naming the first line and field that cannot be used."""
    rows = parse_rows(file, read_bytes(file))[:limit]
    return [(row, _episode(row, domain_id, now)) for row in rows]


def _episode(row: Row, domain_id: str, now: float) -> Episode:
    if "receipt" in row.fields:
        raise row.fault("receipt", "is for reports over HTTP", "Leave it out, or POST the report to the server")
    report = _report(row)
    own = report.episode_id or f"episode-{digest(canonical(row.fields))[:16]}"
    try:
        return to_episode(report, domain_id=domain_id, own=own, receipt=None, principal=None, now=now)
    except InvalidInput as error:
        raise row.fault(error.field, error.problem, error.remedy) from error


def _report(row: Row) -> EpisodeReport:
    try:
        return EpisodeReport.model_validate(row.fields, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise row.fault(_path(first["loc"]), *_told(first)) from error


def _path(loc: tuple[int | str, ...]) -> str:
    """`trace[0].tool`"""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def _told(error: Any) -> tuple[str, str]:
    if error["type"] == "missing":
        return "is missing", "Add it"
    if error["type"] == "extra_forbidden":
        return "is not a known field", f"Known: {', '.join(EpisodeReport.model_fields)}"
    return f"cannot be used: {error['msg']}", ""
