"""What `ace db backup` and its siblings show. Progress goes to stderr, results to stdout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ace.cli import present
from ace.models.backup import Drilled, Examined, Restored, Stored, Taken
from ace.services.backups import Step


@contextmanager
def progress(quiet: bool) -> Iterator[Step]:
    """A bar for each thing done, where there is somebody to see it."""
    columns = (TextColumn("{task.description:>14}"), BarColumn(bar_width=28), MofNCompleteColumn(), TextColumn("rows"),
               TimeElapsedColumn())  # fmt: skip
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=present.err, disable=quiet or not present.err.is_terminal) as shown:

        def step(doing: str, rows: int, total: int) -> None:
            if doing not in bars:
                bars[doing] = shown.add_task(doing, total=None)
            shown.update(bars[doing], completed=rows, total=total or None)

        yield step


def taken(backup: Taken, as_json: bool) -> None:
    facts = {"url": backup.url, **_facts(backup.examined), "seconds": round(backup.seconds, 3),
             "pruned": list(backup.pruned)}  # fmt: skip
    if as_json:
        print(json.dumps(facts))
        return
    present.out.print(f"{backup.url}  {_contents(backup.examined)}, {backup.seconds:.1f} s, read back and sound")
    _heads(backup.examined)
    if backup.pruned:
        present.out.print(f"  deleted older ones: {', '.join(backup.pruned)}")


def listed(place: str, found: Sequence[Stored], as_json: bool) -> None:
    if as_json:
        print(json.dumps([{"name": one.name, "bytes": one.size, "modified": one.modified} for one in found]))
    elif not found:
        present.out.print(f"{place} holds no backup yet. Take one: ace db backup")
    else:
        present.table(place, [{"name": one.name, "size": _size(one.size), "written": one.modified} for one in found])


def examined(source: str, backup: Examined, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"url": source, **_facts(backup), "fault": ""}))
        return
    present.out.print(f"{source}  {_contents(backup)}: sound")
    _heads(backup)


def restored(source: str, done: Restored, as_json: bool) -> None:
    if as_json:
        facts = {"url": source, "database": done.place, "schema": done.revision, "seconds": round(done.seconds, 3)}
        print(json.dumps({**_facts(done.examined), **facts}))
        return
    present.out.print(f"{source} restored into {done.place} at schema {done.revision}: {_contents(done.examined)}, "
                      f"{done.seconds:.1f} s, read back and equal")  # fmt: skip
    _heads(done.examined)
    if not done.examined.header.secrets:
        present.out.print("  The backup holds no API keys and no server secrets: those of the database stay.")


def drilled(report: Drilled, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"source": report.source, "fault": report.fault, "rows": report.rows,
                          "searches": report.searches, "seconds": report.seconds}))  # fmt: skip
        return
    times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report.seconds.items())
    verdict = f"FAILED: {report.fault}" if report.fault else "passed"
    rows = sum(report.rows.values())
    present.out.print(f"Drill of {report.source} {verdict}\n  {rows:,} rows and {report.searches} searches compared")
    if times:
        present.out.print(f"  {times}")


def _facts(backup: Examined) -> dict[str, Any]:
    heads = {domain: {"seq": head.seq, "hash": head.hash} for domain, head in backup.summary.heads.items()}
    return {"bytes": backup.size, "sha256": backup.sha256, "schema": backup.header.revision,
            "release": backup.header.release, "created_at": backup.header.created_at,
            "secrets": backup.header.secrets, "rows": backup.summary.rows, "heads": heads}  # fmt: skip


def _contents(backup: Examined) -> str:
    rows, header = sum(backup.summary.rows.values()), backup.header
    return f"{_size(backup.size)}, {rows:,} rows as of {header.created_at[:19]} UTC, schema {header.revision}"


def _heads(backup: Examined, most: int = 10) -> None:
    heads = sorted(backup.summary.heads.items())
    for domain, head in heads[:most]:
        present.out.print(f"  {domain}: {head.seq:,} entries, head {head.hash[:16]}…")
    if len(heads) > most:
        present.out.print(f"  … and {len(heads) - most} more domains: --json shows them")


def _size(bytes_: int) -> str:
    return f"{bytes_ / 1e6:.1f} MB" if bytes_ >= 100_000 else f"{bytes_ / 1e3:.1f} kB"
