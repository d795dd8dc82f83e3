"""`ace doctor`: is everything there that ACE leans on?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from ace.cli.grammar import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ace.models.checkup import Finding

COLOURS = {"ok": "green", "warning": "yellow", "outage": "magenta", "fault": "red"}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(doctor)


def doctor(as_json: Json = False) -> None:
    """Check database, model, embeddings, index, keys, disk, clock, anchors, backups; say what to mend and how.

    Exit code 0 when nothing is at fault, 2 when there is something to mend, 4 when something outside is away. Nothing
    that is there is changed.

    Example: ace doctor
    """
    from ace.cli import checks, present
    from ace.models.checkup import State, worst

    with present.status(quiet=as_json or not present.err.is_terminal) as say:
        findings = list(checks.examine(say))
    found = worst(findings)
    if as_json:
        typer.echo(json.dumps({"state": found.value, "checks": [one.to_json() for one in findings]}))
    else:
        _show(findings)
    raise typer.Exit({State.FAULT: 2, State.OUTAGE: 4}.get(found, 0))


def _show(findings: Sequence[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from ace.cli import present

    view = Table(show_edge=False, pad_edge=False, box=None, header_style="bold")
    for title in ("check", "state", "found"):
        view.add_column(title, overflow="fold")
    for one in findings:
        view.add_row(one.name, Text(one.state.value, style=COLOURS[one.state.value]), Text(one.found))
        if one.remedy:
            view.add_row("", "", Text(f"→ {one.remedy}"))
    present.out.print(view, soft_wrap=False)
