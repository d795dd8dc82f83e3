"""`ace playbook`: see what has been learned."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ace.cli import complete
from ace.cli.grammar import Domain, Json
from ace.errors import NotFound
from ace.models.playbook import PlaybookStage, Section

app = typer.Typer(
    help="The playbook of a domain: look at it, search it, carry it out and in.\n\n"
    "Example: ace playbook show --domain customer-a",
    no_args_is_help=True,
)


@app.command()
def show(
    domain: Domain = "default",
    stage: Annotated[PlaybookStage | None, typer.Option(help="only this stage")] = None,
    section: Annotated[Section | None, typer.Option(help="only this section")] = None,
    limit: Annotated[int, typer.Option(min=1, help="bullets shown at most")] = 50,
    raw: Annotated[bool, typer.Option("--raw", help="the paper's text format, whole")] = False,
    as_of: Annotated[
        str | None, typer.Option(help="as it was: a position (120), a time (2026-11-25T10:00Z), release:NAME")
    ] = None,
    as_json: Json = False,
) -> None:
    """The bullets of a domain, best first, with their counters.

    Example: ace playbook show --domain demo --limit 10
    """
    from ace.bootstrap import App
    from ace.cli import present
    from ace.core.rendering import render_playbook
    from ace.core.validation import check_domain

    ace = App()
    store = ace.store
    if as_of:
        past = ace.travel.as_of(check_domain(domain), as_of).state
        bullets, links = [one for one in past.bullets.values() if stage in (None, one.stage)], len(past.links)
    else:
        bullets, links = store.get_all(check_domain(domain), stage=stage), len(store.links(domain))
    if not bullets and domain not in store.domains():
        raise NotFound(f"domain '{domain}' has no playbook yet. Known: {', '.join(store.domains()) or 'none'}.")
    chosen = [bullet for bullet in bullets if section in (None, bullet.section)]
    if as_json:
        typer.echo(json.dumps([bullet.to_json() for bullet in chosen]))
    elif raw:
        typer.echo(render_playbook(chosen))
    else:
        present.bullets(domain, chosen, limit, links=links)


@app.command()
def verify(domain: Domain = "default", as_json: Json = False) -> None:
    """Check the journal's hash chain and anchors, and that replaying it gives exactly the stored playbook.

    Exit code 2 when something was changed behind ACE's back.

    Example: ace playbook verify --domain customer-a
    """
    from ace.cli.journal import verify_domains

    verify_domains([domain], None, as_json=as_json)


@app.command()
def diff(
    start: Annotated[
        str,
        typer.Argument(metavar="A", help="a position, a time, release:NAME or head", autocompletion=complete.positions),
    ],
    end: Annotated[
        str, typer.Argument(metavar="B", help="the same; may be the earlier one", autocompletion=complete.positions)
    ] = "head",
    domain: Domain = "default",
    as_json: Json = False,
) -> None:
    """What has to happen to the playbook at A to become the one at B.

    Example: ace playbook diff release:march head --domain customer-a
    """
    from ace.bootstrap import App
    from ace.cli import present

    found = App().travel.difference(domain, start, end)
    if as_json:
        typer.echo(json.dumps({"domain": domain, **found.to_json()}))
    else:
        present.difference(domain, found)
