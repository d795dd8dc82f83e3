"""`ace traces`: learn from the traces that other tools have kept already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.grammar import Domain, DryRun, Json
from ace.errors import InvalidInput
from ace.models.trace import TraceSource

if TYPE_CHECKING:
    from ace.bootstrap import App
    from ace.core.scores import Yardstick
    from ace.models.episode import Episode
    from ace.utils.traces.files import Found

app = typer.Typer(
    help="Learn from traces that other tools have kept.\n\nExample: ace traces import langfuse.jsonl --domain support",
    no_args_is_help=True,
)
SHOWN = 20


@app.command("import")
def import_(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="JSONL, JSON or CSV; of a folder, all of them")
    ],
    domain: Domain = "default",
    source: Annotated[
        TraceSource | None, typer.Option("--from", help="what wrote them; default: told by their fields")
    ] = None,
    score: Annotated[str, typer.Option(help="the score that says whether an answer was right")] = "",
    right_from: Annotated[float | None, typer.Option(help="a score from this number on is right")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="only the first N traces")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="reflect on them now, in this process")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make an episode of each trace: OpenTelemetry spans, chats, exports of Langfuse and of Phoenix.

    They go into the queue that reflectors work on, once each however often they are imported. What cannot be read is
    passed over, and told with its line.

    Example: ace traces import langfuse.jsonl --domain support --score correctness
    """
    from ace.bootstrap import App
    from ace.core.scores import Yardstick
    from ace.core.validation import check_domain

    if dry_run and wait:
        raise InvalidInput("--wait", "does not go with --dry-run", "Leave one of them out")
    check_domain(domain)
    ace, found = App(), _read(paths, source, quiet=as_json)
    episodes = _episodes(ace, domain, found, Yardstick(name=score, right_from=right_from), limit)
    told: dict[str, Any] = {"domain": domain, "dry_run": dry_run, "read": len(found.traces)}
    told |= _brought(ace, episodes, dry_run=dry_run, quiet=as_json) | {"skipped": len(found.skipped)}
    if wait:
        from ace.cli.episodes import reflected

        told |= reflected(ace, domain, [episode.id for episode in episodes], quiet=as_json)
    _say(told, found, as_json=as_json, waiting=not (wait or dry_run))


def _read(paths: Sequence[Path], source: TraceSource | None, *, quiet: bool) -> Found:
    """The traces of all files. Raises InvalidInput when there is none."""
    from ace.cli import present
    from ace.utils.traces.files import Found, files_of, load

    found = Found()
    files = files_of(paths)
    if not files:
        raise InvalidInput(str(paths[0]), "holds no .json, .jsonl, .ndjson or .csv file", "Name the files")
    with present.Steps("reading", len(files), quiet=quiet) as steps:
        for file in files:
            load(file, found, source)
            steps.step(f"{len(found.traces)} traces")
    if not found.traces:
        raise found.skipped[0] if found.skipped else InvalidInput(str(files[0]), "holds no trace", "Export some")
    return found


def _episodes(ace: App, domain: str, found: Found, yardstick: Yardstick, limit: int | None) -> list[Episode]:
    """The episodes these traces are; those without a task are passed over."""
    from ace.core.traces import to_episode

    made, now = [], ace.clock.now().timestamp()
    for own, trace in list(found.traces.items())[:limit]:
        try:
            made.append(to_episode(trace, domain_id=domain, now=now, yardstick=yardstick))
        except InvalidInput as error:
            found.skipped.append(InvalidInput(f"{found.places[own]}, {error.field}", error.problem, error.remedy))
    return made


def _brought(ace: App, episodes: Sequence[Episode], *, dry_run: bool, quiet: bool) -> dict[str, int]:
    """How many are new, known, or known otherwise; how many of them have a verdict."""
    from ace.cli import present
    from ace.services.intake import Taken, bring_in, compared

    counted = dict.fromkeys((kind.value for kind in Taken), 0)
    take = compared if dry_run else bring_in
    with present.Steps("importing", len(episodes), quiet=quiet) as steps:
        for episode in episodes:
            counted[take(episode, ace.episodes).value] += 1
            steps.step()
    return counted | {"judged": sum(episode.feedback.correct is not None for episode in episodes)}


def _say(told: Mapping[str, Any], found: Found, *, as_json: bool, waiting: bool) -> None:
    reasons = [str(error) for error in found.skipped]
    if as_json:
        typer.echo(json.dumps({**told, "reasons": reasons}))
        return
    for reason in reasons[:SHOWN]:
        typer.echo(f"skipped: {reason}", err=True)
    if len(reasons) > SHOWN:
        typer.echo(f"… and {len(reasons) - SHOWN} more: --json lists all", err=True)
    typer.echo(", ".join(f"{count} {name}" for name, count in told.items() if name not in ("domain", "dry_run")))
    if told["changed"]:
        typer.echo("Changed since they were imported; what was imported first stays.", err=True)
    if waiting:
        typer.echo("They wait for a reflector: ace worker --once, or this command with --wait.", err=True)
