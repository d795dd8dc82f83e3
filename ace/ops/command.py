"""An operator's command: one function with options, run by its name; our errors become a line and an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ace.errors import AceError, exit_code

Json = Annotated[bool, typer.Option("--json", help="for machines")]
Domains = Annotated[
    list[str] | None, typer.Option("--domain", "-d", help="whose playbook; may be given more than once")
]
All = Annotated[bool, typer.Option("--all", help="every one there is")]


def run(command: Callable[..., None]) -> None:
    """Parse the command line, do the work, leave with 0, or with the exit code of `ace.errors`."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(command)
    try:
        app()
    except AceError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)


def show(facts: Any, *, as_json: bool, lines: list[str]) -> None:
    """The result: one JSON document for machines, or lines for people."""
    typer.echo(json.dumps(facts) if as_json else "\n".join(lines))


def megabytes(size: float) -> str:
    return f"{size / 2**20:,.1f} MB"
