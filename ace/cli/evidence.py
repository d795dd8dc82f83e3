"""`ace worth` and `ace evidence`: what a playbook is worth, and why a bullet is where it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from ace.cli.grammar import BulletId, Domain, Json

if TYPE_CHECKING:
    from ace.models.run import Interval


def register(app: typer.Typer) -> None:
    app.command()(worth)
    app.command()(evidence)


def worth(domain: Domain, as_json: Json = False) -> None:
    """Success of the tasks that saw the playbook, and of those held out by lot.

    Example: ace worth --domain customer-a
    """
    from ace.bootstrap import App

    found = App().appraisal.worth(domain)
    if as_json:
        typer.echo(json.dumps({"domain": domain, **found.to_json()}))
        return
    if not found.held_out.n:
        typer.echo(f"{domain}: no task has been held out yet (ACE_HOLDOUT), so there is nothing to compare with.")
        return
    gain = found.difference
    typer.echo(f"{domain}: with {_share(found.with_playbook)}, without {_share(found.held_out)}")
    typer.echo(f"  difference {gain.value:+.0%} points, {gain.low:+.0%} to {gain.high:+.0%} at this one look")
    typer.echo(f"  e-value that it helps {found.helps:.3g}, that it harms {found.harms:.3g} (hold at every look)")


def evidence(bullet_id: BulletId, domain: Domain, as_json: Json = False) -> None:
    """What is known about one bullet, what follows from it now, and what was decided before.

    Example: ace evidence strategy-abcdefghij --domain customer-a
    """
    from ace.bootstrap import App

    found = App().appraisal.bullet(domain, bullet_id).to_json()
    if as_json:
        typer.echo(json.dumps({"domain": domain, **found}))
        return
    typer.echo(f"{bullet_id} in {found['evidence']['stage']}; by policy {found['policy']}: {found['verdict']}")
    typer.echo(f"  {found['reason']}")
    for name, value in found["evidence"].items():
        typer.echo(f"  {name:20} {_figure(value)}")
    for one in found["decisions"]:
        typer.echo(f"  entry {one['seq']}: {one['kind']}: {one['reason']}")


def _share(found: Interval) -> str:
    return f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%}, n={found.n})"


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
