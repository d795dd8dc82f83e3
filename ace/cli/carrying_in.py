"""`ace playbook import`: carry bullets in from elsewhere."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.grammar import Domain, DryRun, Json
from ace.models.form import Read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ace.bootstrap import App
    from ace.core.carrying.carried import Carried
    from ace.models.plan import InsightOutcome
SHOWN = 50  # bullets in the table of a dry run


def import_(
    file: Annotated[Path, typer.Argument(help="a file, or the folder of a skill")],
    form: Annotated[Read, typer.Option("--from", help="how it is written; auto: told by looking")] = Read.AUTO,
    domain: Domain = "default",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Carry bullets in. They start in shadow without votes, their source is `import`; what is known stays as it is.

    The same file again changes nothing. Take it all back: ace purge --source import, or ace rollback.

    Example: ace playbook import skillbook.json --domain customer-a --dry-run
    """
    from ace.bootstrap import App
    from ace.core.validation import check_domain
    from ace.utils.playbook_files import read_playbook

    carried, import_id = read_playbook(file, form)
    outcomes = _carried_in(App(), check_domain(domain), carried, import_id, dry_run=dry_run, quiet=as_json)
    done = _counted(outcomes)
    if as_json:
        told = [_told(one, outcome) for one, outcome in zip(carried, outcomes, strict=True)]
        typer.echo(json.dumps({"domain": domain, "file": str(file), "import_id": import_id, "bullets": len(carried),
                               "dry_run": dry_run, **done, "outcomes": told}))  # fmt: skip
        return
    if dry_run:
        _show(carried, outcomes)
    counts = ", ".join(f"{count} {name}" for name, count in done.items())
    typer.echo(f"{domain}: {len(carried)} bullets in {file}: {counts}{' (dry run)' if dry_run else ''}")


def _carried_in(
    app: App, domain: str, carried: list[Carried], import_id: str, *, dry_run: bool, quiet: bool
) -> list[InsightOutcome]:
    from ace.cli import present
    from ace.services.carrying import carry_in

    done: list[InsightOutcome] = []
    with present.Steps("looking" if dry_run else "importing", len(carried), quiet=quiet) as steps:
        for outcomes in carry_in(carried, domain, curator=app.run_curator, import_id=import_id, rehearse=dry_run):
            done += outcomes
            steps.step(f"{_counted(done)['added']} added", advance=len(outcomes))
    return done


def _counted(outcomes: Sequence[InsightOutcome]) -> dict[str, int]:
    from ace.models.plan import Outcome

    found = Counter(one.outcome for one in outcomes)
    return {"added": found[Outcome.ADDED] + found[Outcome.LINKED],
            "known": found[Outcome.REPEATED] + found[Outcome.MERGED], "contradicting": found[Outcome.LINKED],
            "held": found[Outcome.HELD], "rejected": found[Outcome.REJECTED]}  # fmt: skip


def _told(one: Carried, outcome: InsightOutcome) -> dict[str, Any]:
    """What became of a bullet, by the id it had and the id it has."""
    told = {"foreign_id": one.place.id, "outcome": outcome.outcome.value, "bullet": outcome.bullet_id}
    more = {"contradicts": list(outcome.contradicts), "reasons": list(outcome.reasons)}
    return told | {name: value for name, value in more.items() if value}


def _show(carried: Sequence[Carried], outcomes: Sequence[InsightOutcome]) -> None:
    from ace.cli import present
    from ace.core.rendering import one_line

    rows = [{"was": one.place.id or "", "would be": done.outcome.value, "bullet": done.bullet_id,
             "section": one.section.value, "text": one_line(one.content)}
            for one, done in zip(carried, outcomes, strict=True)]  # fmt: skip
    present.table("what would happen", rows[:SHOWN])
    if len(rows) > SHOWN:
        typer.echo(f"… and {len(rows) - SHOWN} more: --json")
