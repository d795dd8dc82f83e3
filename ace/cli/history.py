"""`ace rollback` and `ace purge`: undo what was learned, a stretch of time or an origin; itself journalled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ace.errors import InvalidInput
from ace.models.playbook import SourceClass

if TYPE_CHECKING:
    from ace.models.purge import Purged

Domain = Annotated[str, typer.Option("--domain", "-d", help="whose playbook")]
Reason = Annotated[str, typer.Option(help="why; the journal keeps it")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show what would change, change nothing")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]
Json = Annotated[bool, typer.Option("--json", help="for machines; does not ask")]


def register(app: typer.Typer) -> None:
    app.command()(rollback)
    app.command()(purge)


def rollback(
    domain: Domain,
    to: Annotated[str, typer.Option(help="a position (120), a time (2026-11-25T10:00Z) or release:NAME")],
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make a playbook what it was. A rollback is an entry of the journal, and can be rolled back too.

    Example: ace rollback --domain customer-a --to release:before-import --reason "the import was bad"
    """
    from ace.bootstrap import App
    from ace.cli import present

    ace = App()
    if dry_run or not (yes or as_json):
        found = ace.rollbacks.preview(domain, to)
        if dry_run and as_json:
            typer.echo(json.dumps({"domain": domain, "dry_run": True, **found.to_json()}))
            return
        present.difference(domain, found)
        if dry_run or not _agreed("Roll back?"):
            return
    done = ace.rollbacks.roll_back(domain, to, reason)
    if as_json:
        facts = {"domain": domain, "dry_run": False, "position": done.position}
        typer.echo(json.dumps({**facts, **ace.rollbacks.difference(domain, done).to_json()}))
    else:
        typer.echo(f"{domain}: as of position {done.to} again; this is entry {done.position}. "
                   f"Undo it: ace rollback --domain {domain} --to {done.position - 1}")  # fmt: skip


def purge(
    domain: Domain,
    episode: Annotated[str | None, typer.Option(help="all that was learned from this episode")] = None,
    principal: Annotated[str | None, typer.Option(help="all from episodes reported with this key's id")] = None,
    model: Annotated[str | None, typer.Option(help="all that this model wrote")] = None,
    source: Annotated[SourceClass | None, typer.Option(help="all of this class, such as import")] = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Quarantine every bullet that came from one place, and those learned through them.

    Example: ace purge --domain customer-a --model gpt-x --reason "it was poisoned" --dry-run
    """
    from ace.bootstrap import App
    from ace.models.purge import Suspect

    ace = App()
    suspect = Suspect(episode=episode, principal=principal, model=model, source=source)
    if dry_run or not (yes or as_json):
        found = ace.purge.preview(domain, suspect)
        if dry_run:
            _say(domain, found, as_json, "would be quarantined")
            return
        _say(domain, found, as_json, "will be quarantined")
        if found.tainted and not _agreed("Quarantine them?"):
            return
    _say(domain, ace.purge.purge(domain, suspect, reason), as_json, "quarantined")


def _agreed(question: str) -> bool:
    """What the person at the terminal says. Raises InvalidInput where there is none."""
    import sys

    if not sys.stdin.isatty():
        raise InvalidInput("--yes", "is missing, and there is nobody to ask", "Add --yes, or look first with --dry-run")
    return typer.confirm(question)


def _say(domain: str, purged: Purged, as_json: bool, verb: str) -> None:
    if as_json:
        typer.echo(json.dumps({"domain": domain, **purged.to_json()}))
        return
    for one in purged.tainted:
        typer.echo(f"{one.bullet.id}  {one.bullet.stage.value}  {one.why}")
    typer.echo(f"{domain}: {len(purged.tainted)} bullets {verb}, {purged.already} were quarantined already")
    if purged.reviews:
        typer.echo(
            f"{len(purged.reviews)} insights from there that wait for a person: {verb.replace('quarantined', 'rejected')}"
        )
    if purged.waiting:
        typer.echo(f"{purged.waiting} episodes of {purged.suspect} still wait to be learned from: purge again later.")
