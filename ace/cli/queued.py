"""What `--queue` does: the tasks of a run are done by workers, and whoever asked may look on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ace.cli import present
from ace.errors import InvalidInput
from ace.models.assignment import Kept

if TYPE_CHECKING:
    from ace.models.task import Task
    from ace.services.assigning import Assigning

LIMITS = ("--max-calls", "--max-tokens", "--max-usd")
REMEDY = "Leave it out, and limit what a domain may spend a day: ACE_DOMAIN_CALLS_PER_DAY, …TOKENS…, …USD…"


def refuse_limits(*given: float | None) -> None:
    """Raises InvalidInput for a limit of this run: workers make its calls, and know the limits of domains only."""
    for name, value in zip(LIMITS, given, strict=True):
        if value is not None:
            raise InvalidInput(name, "counts the calls of this process, and with --queue workers make them", REMEDY)


def learn(file: Path, domain: str, *, run: str | None, seed: int, limit: int | None, wait: bool, as_json: bool) -> None:
    """Have workers learn from the tasks of a file as they come; with `wait`, until all of them are done."""
    from ace.bootstrap import App
    from ace.cli.driver import Job, Run
    from ace.core.sampling import shuffled
    from ace.models.run import Limits

    job = Job(kind="learn", files=(file,), domain=domain, run=run, seed=seed, limit=limit, as_json=as_json)
    asked = Run(job, Limits())
    tasks = [(f"{asked.run_id}/1/{task.id}", task) for task in shuffled(asked.tasks(file), seed + 1)]
    assigning = App().assigning(domain, asked.run_id)
    told: dict[str, Any] = {"domain": domain, "run": asked.run_id, "tasks": len(tasks)}
    told["new"] = assigning.assign(tasks, keep=True)
    told |= _watched(assigning, tasks, quiet=as_json) if wait else _standing(assigning)
    if as_json:
        typer.echo(json.dumps(told))
        return
    typer.echo(", ".join(f"{value} {name}" for name, value in told.items() if name not in ("domain", "run")))
    if not wait:
        typer.echo(f"Run {asked.run_id}. Workers do it: ace worker. Look on: this command with --wait.", err=True)


def _standing(assigning: Assigning) -> dict[str, int]:
    return {state.value: count for state, count in assigning.counts().items()}


def _watched(assigning: Assigning, tasks: list[tuple[str, Task]], *, quiet: bool) -> dict[str, int]:
    """What the tasks came to, once all are done or given up."""
    figures: Counter[str] = Counter(dict.fromkeys(("done", "dead", "right", "added", "merged", "held"), 0))
    with present.Steps("learning", len(tasks), quiet=quiet) as steps:
        for one in assigning.kept([own for own, _ in tasks]):
            figures.update({"dead": 1} if one is None else _figures(one))
            steps.step(f"{figures['added']} bullets added")
    return dict(figures)


def _figures(one: Kept) -> dict[str, int]:
    return {"done": 1, "right": one.correct is True, "added": one.added, "merged": one.merged, "held": one.held}
