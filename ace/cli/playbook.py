"""`ace playbook`: see what has been learned."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ace.errors import NotFound
from ace.models.playbook import PlaybookStage, Section

app = typer.Typer(help="The playbook of a domain: show it, verify it.", no_args_is_help=True)

Domain = Annotated[str, typer.Option("--domain", "-d", help="whose playbook")]
Json = Annotated[bool, typer.Option("--json", help="for machines")]


@app.command()
def show(
    domain: Domain = "default",
    stage: Annotated[PlaybookStage | None, typer.Option(help="only this stage")] = None,
    section: Annotated[Section | None, typer.Option(help="only this section")] = None,
    limit: Annotated[int, typer.Option(min=1, help="bullets shown at most")] = 50,
    raw: Annotated[bool, typer.Option("--raw", help="the paper's text format, whole")] = False,
    as_json: Json = False,
) -> None:
    """The bullets of a domain, best first, with their counters.

    Example: ace playbook show --domain demo --limit 10
    """
    from ace.bootstrap import App
    from ace.cli import present
    from ace.core.rendering import render_playbook
    from ace.core.validation import check_domain

    store = App().store
    bullets = store.get_all(check_domain(domain), stage=stage)
    if not bullets and domain not in store.domains():
        raise NotFound(f"domain '{domain}' has no playbook yet. Known: {', '.join(store.domains()) or 'none'}.")
    chosen = [bullet for bullet in bullets if section in (None, bullet.section)]
    if as_json:
        typer.echo(json.dumps([bullet.to_json() for bullet in chosen]))
    elif raw:
        typer.echo(render_playbook(chosen))
    else:
        present.bullets(domain, chosen, limit, links=len(store.links(domain)))


@app.command()
def verify(domain: Domain = "default", as_json: Json = False) -> None:
    """Check the journal's hash chain, and that replaying it gives exactly the stored playbook.

    Exit code 2 when something was changed behind ACE's back.
    """
    from ace.bootstrap import App
    from ace.services.verification import verify as verified

    report = verified(domain, App().store)
    if as_json:
        typer.echo(json.dumps({"domain": domain, "entries": report.entries, "fault": report.fault}))
    else:
        typer.echo(f"{domain}: {report.entries} entries, {report.fault or 'sound'}")
    raise typer.Exit(2 if report.fault else 0)
