"""What the commands here have in common: options, and how a result is shown."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="for machines")]
Domains = Annotated[
    list[str] | None, typer.Option("--domain", "-d", help="whose playbook; may be given more than once")
]
All = Annotated[bool, typer.Option("--all", help="every one there is")]


def show(facts: Any, *, as_json: bool, lines: list[str]) -> None:
    """The result: one JSON document for machines, or lines for people."""
    typer.echo(json.dumps(facts) if as_json else "\n".join(lines))


def megabytes(size: float) -> str:
    return f"{size / 2**20:,.1f} MB"
