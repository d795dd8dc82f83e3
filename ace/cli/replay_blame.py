"""`ace replay blame`: which of the bullets a task was shown broke it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from ace.cli.replay import Domain, Json, MaxCalls, MaxTokens, MaxUsd, RunName, Tasks, open_bench
from ace.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from ace.cli.replay_driver import Bench
    from ace.models.replay import BlameTrial
    from ace.services.blaming import Accused, Trials


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(blame)


def blame(
    episode: Annotated[str, typer.Argument(metavar="EPISODE", help="a reported episode; with --tasks, a task's id")],
    domain: Domain = "default",
    tasks: Tasks = None,
    k: Annotated[
        int | None, typer.Option(min=1, max=40, help="bullets shown to a task of a file; default: ACE_K")
    ] = None,
    repeat: Annotated[
        int, typer.Option(min=1, max=99, help="attempts per set, for a noisy model; the majority counts")
    ] = 1,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="take the culprits out of use; needs --reason")
    ] = False,
    reason: Annotated[str, typer.Option(help="why; the journal keeps it")] = "",
    run: RunName = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    as_json: Json = False,
) -> None:
    """Which of the bullets a task was shown broke it? Found by halving: about a dozen runs for one of 40.

    Example: ace replay blame ticket-4711 --domain support --quarantine --reason "sends refunds to the wrong team"
    """
    from ace.cli import replay_view
    from ace.services.blaming import Trials

    if quarantine and not reason.strip():
        raise InvalidInput("reason", "is missing", "Say why they are quarantined: --reason")
    subject = {"episode": episode, "repeat": repeat, "k": k}
    bench = open_bench("blame", subject, (max_calls, max_tokens, max_usd),
                       domain=domain, tasks=tasks, run=run, as_json=as_json)  # fmt: skip
    case = _case(bench, episode, k)
    with bench:
        trials = Trials(case, bench.attempts, repeat=repeat)
        tried = _tried(bench, trials, len(case.bullets))
        moved = _quarantine(bench, trials.finding.culprits, reason) if quarantine else []
        found = replay_view.blamed(episode, case, trials.finding, tried) | {"quarantined": moved}
        bench.finish(found, lambda: replay_view.blame(found, case, trials.finding))


def _tried(bench: Bench, trials: Trials, bullets: int) -> list[BlameTrial]:
    """Run the trials, showing each; the total is what a single culprit takes at most."""
    from ace.cli import present

    tried: list[BlameTrial] = []
    with present.Tally("trying", 2 * math.ceil(math.log2(bullets)) + 3) as tally:
        for trial in bench.politely(trials.run()):
            tried.append(trial)
            tally.step(trial.succeeded, f"{len(trial.shown)} bullets, {len(trials.finding.suspects)} suspected")
    return tried


def _case(bench: Bench, episode: str, k: int | None) -> Accused:
    """The task and the bullets: as reported, or of a file with what retrieval finds for it now."""
    from ace.services.blaming import accused

    app, domain = bench.app, bench.ask.domain
    if bench.ask.tasks is None:
        return app.blaming.of_episode(domain, episode)
    task = bench.task(episode)
    if task is None:
        raise NotFound(f"There is no task {episode[:80]} in {bench.ask.tasks}.")
    context = app.retrieval.context(
        domain, task.question, k=k or app.settings.k, token_budget=app.settings.token_budget
    )
    return accused(task, [scored.bullet for scored in context.bullets])


def _quarantine(bench: Bench, culprits: tuple[str, ...], reason: str) -> list[str]:
    """Take them out of use; a repeated command does it once."""
    from ace.services.stewardship import Move

    for own in culprits:
        key = f"blame/{bench.run_id}/{own}"[:200]
        bench.app.stewardship.move(bench.ask.domain, own, Move.QUARANTINE, reason, key=key)
    return list(culprits)
