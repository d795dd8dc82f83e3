"""`python -m ace.ops.stage_manager`: promote and quarantine once, and say what was done and why.

The server does the same by itself every ACE_STAGE_INTERVAL_S seconds; running both at once does no harm.
"""

from __future__ import annotations

from typing import Annotated

import typer

from ace.bootstrap import App
from ace.core.schedule import cron_fields
from ace.core.validation import check_domain
from ace.errors import InvalidInput, NotFound
from ace.models.staging import Advance
from ace.ops.command import All, Domains, Json, show
from ace.utils import commands, logs, metrics, stage_log
from ace.utils.stage_schedule import LEASE


def stage_manager(
    domain: Domains = None,
    every: All = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be done, and do nothing")] = False,
    schedule: Annotated[bool, typer.Option("--schedule", help="print the server's schedule as a crontab")] = False,
    as_json: Json = False,
) -> None:
    """Promote and quarantine the bullets of some domains once, one step per bullet, by the gates in force.

    Example: python -m ace.ops.stage_manager --domain customer-a --dry-run
    """
    app = App()
    metrics.enable(app.settings.data_dir)
    logs.configure(app.settings, "stage_manager", quiet=True)
    if schedule:
        typer.echo("\n".join(crontab(app)))
        return
    done = [_one(app, domain_id, dry_run) for domain_id in _chosen(app, domain or [], every)]
    if not dry_run:
        stage_log.ran(done, app.clock.now().timestamp())
    show(_facts(done, dry_run), as_json=as_json, lines=_lines(done, dry_run))


def crontab(app: App) -> list[str]:
    """The schedule that runs inside the server, and who runs it now, as a crontab says such things."""
    interval = app.settings.stage_interval_s
    if interval == 0:
        return ["# stage_manager is off: ACE_STAGE_INTERVAL_S is 0"]
    holder = app.leases.holder(LEASE, now=app.clock.now().timestamp())
    running = f"process {holder} runs it now" if holder else "nobody runs it now: is the server up?"
    return [
        f"# stage_manager runs inside the server every {interval:g} s, no cron needed; {running}",
        f"{cron_fields(interval)} python -m ace.ops.stage_manager --all",
    ]


def _chosen(app: App, named: list[str], every: bool) -> list[str]:
    if bool(named) == every:
        raise InvalidInput("--domain", "name some domains, or all with --all, not both", "Try --all --dry-run")
    known = app.store.domains()
    for domain_id in named:
        if check_domain(domain_id) not in known:
            raise NotFound(f"domain '{domain_id}' has no playbook. Known: {', '.join(known) or 'none'}.")
    return list(dict.fromkeys(named)) or known


def _one(app: App, domain_id: str, dry_run: bool) -> Advance:
    if dry_run:
        return app.staging.due(domain_id)
    done = app.staging.advance(domain_id)
    stage_log.moved(done)
    return done


def _facts(done: list[Advance], dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "promoted": sum(one.promoted for one in done),
        "quarantined": sum(one.quarantined for one in done),
        "domains": {one.domain_id: [move.to_json() for move in one.moves] for one in done},
    }


def _lines(done: list[Advance], dry_run: bool) -> list[str]:
    moves = [
        f"{one.domain_id}  {move.bullet_id}  {move.before.value} -> {move.after.value}: {move.reason}"
        for one in done
        for move in one.moves
    ]
    promoted, quarantined = sum(one.promoted for one in done), sum(one.quarantined for one in done)
    would = "would be " if dry_run else ""
    return [
        *moves,
        f"stage_manager: {promoted} {would}promoted, {quarantined} {would}quarantined in {len(done)} domains",
    ]


def main() -> None:
    commands.run(stage_manager)


if __name__ == "__main__":
    main()
