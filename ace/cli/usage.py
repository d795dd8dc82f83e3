"""`ace usage`: what domains have spent on language models, day by day."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command()(usage)


def usage(
    domain: Annotated[str | None, typer.Argument(help="whose; default: all")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """What the reflector has spent on language models, a row a day (UTC), the latest first.

    Example: ace usage customer-a
    """
    from ace.bootstrap import App
    from ace.cli import present

    budgets = App().budgets
    rows = [one.to_json() for one in budgets.days(domain)]
    if as_json:
        typer.echo(json.dumps({"limits": asdict(budgets.limits), "days": rows}))
        return
    limits = ", ".join(f"{name} {value:g}" for name, value in asdict(budgets.limits).items() if value is not None)
    present.table(f"limits for a domain and day: {limits or 'none'}", rows)
    if domain and (reason := budgets.used_up(domain)):
        typer.echo(reason)
