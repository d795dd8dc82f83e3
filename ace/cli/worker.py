"""`ace worker`: `ace-reflector` in the grammar of `ace`. It becomes that program, with its signals and exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from ace.cli import complete
from ace.cli.grammar import Json


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(worker)


def worker(
    domain: Annotated[
        str | None,
        typer.Option("--domain", "-d", help="only this domain's; default: all", autocompletion=complete.domains),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="work on what is due, then exit")] = False,
    poll_s: Annotated[float, typer.Option(min=0.01, help="seconds between looks when nothing is due")] = 1.0,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="episodes reflected on beside each other")] = 1,
    as_json: Json = False,
) -> None:
    """Reflect on the episodes that agents reported, and do the tasks of `--queue`, until told to stop: `ace-reflector`.

    Example: ace worker --once --json
    """
    words = ["--poll-s", str(poll_s), "--concurrency", str(concurrency)]
    words += ["--domain", domain] if domain else []
    words += [name for name, given in (("--once", once), ("--json", as_json)) if given]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "ace.workers.reflection", *words])
