"""`ace guardrail`: the current release beside the one before, and what would be done about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ace.models.guardrail import Finding


def register(app: typer.Typer) -> None:
    app.command()(guardrail)


def guardrail(
    domain: Annotated[str, typer.Argument(help="whose releases")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Compare the current release with the one before; nothing is changed.

    Example: ace guardrail customer-a
    """
    from ace.bootstrap import App
    from ace.cli import present

    found = App().guarding.look(domain)
    if as_json:
        typer.echo(json.dumps(found.to_json()))
        return
    previous, current = (one.name if one else "-" for one in (found.previous, found.current))
    title = f"{domain}: {current} against {previous}: {found.state}, guardrail {found.mode}, would {_do(found.would)}"
    if found.findings:
        present.table(title, [_row(one) for one in found.findings])
    else:
        typer.echo(title)


def _do(would: str) -> str:
    return "do nothing" if would == "nothing" else would


def _row(one: Finding) -> dict[str, object]:
    return {"gauge": one.gauge.value, "worse": one.worse, "figures": one.reason.partition(": ")[2]}
