"""`ace playbook refine`: put aside what is said twice, unused or too much; take back what was learned again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ace.models.refining import Refined


def register(playbook: typer.Typer) -> None:
    playbook.command()(refine)


def refine(
    domain: Annotated[str, typer.Argument(help="whose playbook")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would change, change nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Archive near-duplicates, unused bullets and what is over the token budget. Nothing is lost: each can be restored.

    Example: ace playbook refine customer-a --dry-run
    """
    from ace.bootstrap import App
    from ace.utils import metrics, stage_log

    app = App()
    metrics.enable(app.settings.data_dir)
    done = app.refining.due(domain) if dry_run else app.refining.refine(domain)
    if not dry_run:
        stage_log.refined(done)
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, **done.to_json()}))
    else:
        typer.echo("\n".join(_lines(done, dry_run)))


def _lines(done: Refined, dry_run: bool) -> list[str]:
    would = "would be " if dry_run else ""
    counted = ", ".join(f"{count} {cause}" for cause, count in done.counts().items())
    return [
        *(f"{one.bullet_id}  archived, {one.reason}" for one in done.archived),
        *(f"{one.bullet_id}  restored, {one.reason}" for one in done.restored),
        f"{done.domain_id}: {len(done.archived)} {would}archived ({counted}), {len(done.restored)} {would}restored",
    ]
