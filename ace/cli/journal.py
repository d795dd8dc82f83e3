"""`ace journal`: prove that the journals are the ones that were written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ace.cli.grammar import Domains, Json

if TYPE_CHECKING:
    from ace.services.verification import Verification

app = typer.Typer(
    help="The journals: verify them, anchor their heads outside the database.\n\nExample: ace journal verify",
    no_args_is_help=True,
)

Log = Annotated[str | None, typer.Option("--anchor", help="the anchor log: a file or s3://…; default: ACE_ANCHOR_URL")]


@app.command()
def verify(domain: Domains = None, anchor: Log = None, as_json: Json = False) -> None:
    """Find and name the first bad entry: changed, dropped, inserted, reordered, cut off, replaced or rewritten.

    Exit code 2 when something was changed behind ACE's back.

    Example: ace journal verify --domain customer-a
    """
    verify_domains(domain, anchor, as_json=as_json)


@app.command()
def anchor(
    domain: Domains = None,
    log: Annotated[str | None, typer.Option("--to", help="a file or s3://…; default: ACE_ANCHOR_URL")] = None,
    as_json: Json = False,
) -> None:
    """Write down the heads that have moved, signed, outside the database. The server does so by itself.

    Example: ace journal anchor --to s3://ace-anchors/production
    """
    from ace.bootstrap import App
    from ace.core.journal import timestamp

    ace = App()
    made = (ace.anchoring_in(log) if log else ace.anchoring).anchor(domain)
    if as_json:
        rows = [{"domain": one.domain_id, "seq": one.seq, "hash": one.hash, "at": timestamp(one.at)} for one in made]
        typer.echo(json.dumps(rows))
        return
    for one in made:
        typer.echo(f"{one.domain_id}: entry {one.seq} is anchored in line {one.number}")
    if not made:
        typer.echo("No head has moved since it was anchored.")


def verify_domains(domains: Sequence[str] | None, log: str | None, *, as_json: bool) -> None:
    """Verify these domains, or all, and leave with exit code 2 when one is not sound."""
    from ace.bootstrap import App
    from ace.services.verification import verify as verified

    ace = App()
    anchored = (ace.anchoring_in(log) if log else ace.anchoring).read()
    every = {*ace.store.domains(), *(one.domain_id for one in anchored.anchors)}  # one that was wiped out, too
    reports = {name: verified(name, ace.store, anchored) for name in domains or sorted(every)}
    if as_json:
        facts = [{"domain": name, **report.to_json()} for name, report in reports.items()]
        typer.echo(json.dumps(facts[0] if domains and len(domains) == 1 else facts))
    else:
        typer.echo("\n".join(_line(name, report) for name, report in reports.items()))
    raise typer.Exit(2 if any(report.found for report in reports.values()) else 0)


def _line(domain: str, report: Verification) -> str:
    until = f"anchored up to entry {report.anchor.seq}" if report.anchor else "not anchored: ace journal anchor"
    return f"{domain}: {report.entries} entries, {report.fault or 'sound'} ({until})"
