"""`ace replay`: evidence from tasks done again, with a bullet and without; and which bullet broke a task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ace.bootstrap import App
    from ace.cli.replay_driver import Bench

app = typer.Typer(
    help="Do stored tasks again, with a bullet and without: pairs are its evidence.\n\n"
    "Example: ace replay due --domain customer-a",
    no_args_is_help=True,
)

Domain = Annotated[str, typer.Option("--domain", "-d", help="whose playbook")]
Tasks = Annotated[Path | None, typer.Option(help="a task file (docs/task-format.md); default: the reported episodes")]
Most = Annotated[int, typer.Option(min=1, max=10_000, help="pairs at most; fewer when the evidence decides before")]
RunName = Annotated[str | None, typer.Option("--run-name", help="folder under <data_dir>/runs; the same one goes on")]
MaxCalls = Annotated[int | None, typer.Option(min=1, help="stop after so many model calls")]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="stop after so many tokens")]
MaxUsd = Annotated[float | None, typer.Option(min=0, help="stop after so much money")]
Json = Annotated[bool, typer.Option("--json", help="for machines")]

PAIRS = 40


@app.command()
def bullet(
    bullet_id: Annotated[str, typer.Argument(metavar="BULLET", help="as `ace playbook show` shows it")],
    domain: Domain = "default",
    pairs: Most = PAIRS,
    tasks: Tasks = None,
    run: RunName = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    as_json: Json = False,
) -> None:
    """Answer tasks with this bullet alone and with none, same model and seed, until its evidence decides.

    The pairs go into the journal. Stopped or killed, the same command goes on; no task is used twice.

    Example: ace replay bullet strategy-k3j5x7q2ab --domain support --pairs 40
    """
    from ace.cli import replay_view

    bench = open_bench("bullet", {"bullet": bullet_id, "pairs": pairs}, (max_calls, max_tokens, max_usd),
                   domain=domain, tasks=tasks, run=run, as_json=as_json)  # fmt: skip
    chosen = bench.app.replays.find(domain, bullet_id)
    with bench:
        found = bench.bullet(chosen, pairs)
        bench.finish(found.to_json(), lambda: replay_view.bullet(found, bench.app.settings.policy))


@app.command()
def due(
    domain: Domain = "default",
    run_them: Annotated[
        bool, typer.Option("--run", help="replay them, one after the other, within the limits")
    ] = False,
    pairs: Most = PAIRS,
    tasks: Tasks = None,
    run: RunName = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    as_json: Json = False,
) -> None:
    """The bullets that would profit most: the gates let them rise, their e-value does not; nearest to it first.

    Example: ace replay due --domain support --run --max-calls 500
    """
    from ace.bootstrap import App
    from ace.cli import replay_view

    if not run_them:
        _list_due(App(), domain, as_json)
        return
    bench = open_bench("due", {"pairs": pairs}, (max_calls, max_tokens, max_usd),
                   domain=domain, tasks=tasks, run=run, as_json=as_json)  # fmt: skip
    waiting = bench.app.replays.due(domain)
    if not waiting:
        typer.echo(json.dumps({"domain": domain, "due": 0, "bullets": []}) if as_json else "No bullet is due.")
        return
    with bench:
        results = [bench.bullet(one.bullet, pairs) for one in waiting if not bench.stopped]
        found = {"domain": domain, "due": len(waiting), "bullets": [one.to_json() for one in results]}
        bench.finish(found, lambda: replay_view.bullets(results, bench.app.settings.policy))


@app.command()
def release(
    new: Annotated[str, typer.Argument(metavar="A", help="a release's name, a position, a time or head")],
    against: Annotated[str, typer.Option(metavar="B", help="the same: what A is held against")],
    domain: Domain = "default",
    pairs: Most = PAIRS,
    tasks: Tasks = None,
    run: RunName = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    as_json: Json = False,
) -> None:
    """Is the playbook at A better than the one at B? Each task is shown what retrieval would have found for it then.

    Example: ace replay release head --against before-import --domain support
    """
    from ace.cli import replay_view

    bench = open_bench("release", {"a": new, "b": against, "pairs": pairs}, (max_calls, max_tokens, max_usd),
                   domain=domain, tasks=tasks, run=run, as_json=as_json)  # fmt: skip
    one, other = (bench.app.travel.as_of(domain, _when(bench.app, domain, name)) for name in (new, against))
    with bench:
        places = {"a": {"name": new, "position": one.position}, "b": {"name": against, "position": other.position}}
        found = {"domain": domain, **places, **bench.states(other, one, pairs)}
        bench.finish(found, lambda: replay_view.release(found))


def _list_due(ace: App, domain: str, as_json: bool) -> None:
    from ace.cli import replay_view

    found = ace.replays.due(domain)
    if as_json:
        typer.echo(json.dumps([one.to_json() for one in found]))
    else:
        replay_view.due(domain, found)


def open_bench(
    kind: str, subject: dict[str, Any], limits: tuple[int | None, int | None, float | None], **ask: Any
) -> Bench:
    """What is needed is imported only now: `ace --help` should not wait for it."""
    from ace.cli.replay_driver import Ask, Bench
    from ace.models.run import Limits

    calls, tokens, usd = limits
    return Bench(Ask(kind=kind, subject=subject, limits=Limits(calls=calls, tokens=tokens, cost_usd=usd), **ask))


def _when(ace: App, domain: str, name: str) -> str:
    """What is known as a release is one; else a position, a time or head."""
    known = {release.name for release in ace.releases.list(domain)}
    return f"release:{name}" if name in known else name
