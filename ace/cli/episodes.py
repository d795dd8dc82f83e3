"""What `ace learn` does with a file of episodes: report them, once each, and wait for what they teach if asked to."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from ace.bootstrap import App
from ace.cli import present
from ace.core.validation import check_domain
from ace.errors import Conflict
from ace.models.episode import Episode, EpisodeStatus
from ace.services.intake import ended, reflect_on
from ace.services.reflection import Reflected
from ace.utils.episode_lines import read_episodes
from ace.utils.json_lines import Row


def learn(file: Path, domain: str, *, limit: int | None, wait: bool, queue: bool, as_json: bool) -> None:
    """Report the episodes of the file; with `wait`, reflect on them in this process, or with `queue` look on."""
    app = App()
    read = read_episodes(file, check_domain(domain), app.clock.now().timestamp(), limit)
    told: dict[str, Any] = {"domain": domain, "episodes": len(read), **_reported(app, read, quiet=as_json)}
    if wait:
        work = _watched if queue else reflected
        told |= work(app, domain, [episode.id for _, episode in read], quiet=as_json)
    if as_json:
        typer.echo(json.dumps(told))
        return
    typer.echo(", ".join(f"{count} {name}" for name, count in told.items() if name != "domain"))
    if not wait:
        typer.echo("They wait for a reflector: ace worker --once, or this command with --wait.", err=True)


def _reported(app: App, read: Sequence[tuple[Row, Episode]], *, quiet: bool) -> dict[str, int]:
    new = 0
    with present.Steps("reporting", len(read), quiet=quiet) as steps:
        for row, episode in read:
            try:
                new += app.episodes.report(episode)
            except Conflict as error:
                raise Conflict(f"{row.file}, line {row.number}, episode_id: {error}") from error
            steps.step()
    return {"new": new, "repeated": len(read) - new}


def _watched(app: App, domain: str, ids: Sequence[str], *, quiet: bool) -> dict[str, int]:
    """What became of these when workers were done with them."""
    unique = list(dict.fromkeys(ids))
    figures: Counter[str] = Counter(dict.fromkeys(("done", "dead", "added", "merged", "held", "votes"), 0))
    with present.Steps("reflecting", len(unique), quiet=quiet) as steps:
        for status in ended(unique, domain, episodes=app.episodes, sleep=time.sleep):
            figures.update(
                {status.state.value: 1} | {name: n for name, n in _result(status).items() if name in figures}
            )
            steps.step(f"{figures['added']} bullets added")
    return dict(figures)


def _result(status: EpisodeStatus) -> dict[str, int]:
    found: dict[str, int] = json.loads(status.result or "{}")
    return found


def reflected(app: App, domain: str, ids: Sequence[str], *, quiet: bool) -> dict[str, int]:
    """Reflect on these here, and what that came to."""
    import os
    import uuid

    worker = f"ace-learn-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    unique = list(dict.fromkeys(ids))
    figures: Counter[str] = Counter(dict.fromkeys(("done", "dead", "before", "added", "merged", "held", "votes"), 0))
    with (
        present.status(quiet=quiet) as say,
        app.reflecting(say) as reflection,
        present.Steps("reflecting", len(unique), quiet=quiet) as steps,
    ):
        for one in reflect_on(unique, domain, reflection=reflection, episodes=app.episodes, worker=worker,
                              sleep=time.sleep):  # fmt: skip
            figures.update(_figures(one))
            steps.step(f"{figures['added']} bullets added")
    return dict(figures)


def _figures(one: Reflected | None) -> dict[str, int]:
    if one is None:
        return {"before": 1}
    return {one.ending.value: 1, "added": one.added, "merged": one.merged, "held": one.held, "votes": one.votes}
