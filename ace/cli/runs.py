"""`ace learn`, `ace train`, `ace eval`, `ace demo`: runs, each with a folder of its own that it can be resumed from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli import complete
from ace.cli.grammar import Domain, Json
from ace.errors import InvalidInput

if TYPE_CHECKING:
    from ace.cli.driver import Run

File = Annotated[Path, typer.Argument(help="tasks: JSONL (docs/task-format.md), FiNER or Formula as they are")]
Learned = Annotated[Path, typer.Argument(help="JSONL: tasks to do, or episodes that happened")]
RunName = Annotated[
    str | None,
    typer.Option("--run", help="folder under <data_dir>/runs; the same one continues", autocompletion=complete.runs),
]
First = Annotated[int | None, typer.Option("--limit", min=1, help="only the first N")]
Seed = Annotated[int, typer.Option(help="order, split and sampling")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="model calls beside each other")]
MaxCalls = Annotated[int | None, typer.Option(min=1, help="stop after so many model calls")]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="stop after so many tokens")]
MaxUsd = Annotated[float | None, typer.Option(min=0, help="stop after so much money")]


DEMO_TASKS, DEMO_HELD_OUT, DEMO_BULLETS = 60, 30, 3  # what two cores do in under a minute


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    for command in (demo, learn, train, evaluate):
        app.command(name="eval" if command is evaluate else None)(command)


def learn(
    file: Learned,
    domain: Domain = "default",
    run: RunName = None,
    limit: First = None,
    seed: Seed = 0,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    queue: Annotated[bool, typer.Option("--queue", help="let workers (ace-reflector) do it, any number")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="until all is done; episodes without --queue: by this process")
    ] = False,
    as_json: Json = False,
) -> None:
    """Learn from a file: tasks are done one after the other, episodes are taken as they were.

    Tasks (docs/task-format.md) are each done once, in order of the seed, and the playbook grows after every one.
    Episodes are what an agent did already, a line each as in POST /v1/domains/{domain}/episodes; they are reported
    into the queue that reflectors work on, once each however often the file is given.

    With --queue the tasks go into that queue too, and are learned from as they come, by as many `ace-reflector`s as
    run. The same command with --wait shows how far they are, and tries again what they gave up.

    Example: ace learn tasks.jsonl --domain finance
    """
    limits = (max_calls, max_tokens, max_usd)
    if _is_episodes(file):
        from ace.cli import episodes

        _only("tasks", {"--run": run, "--max-calls": max_calls, "--max-tokens": max_tokens, "--max-usd": max_usd})
        episodes.learn(file, domain, limit=limit, wait=wait, queue=queue, as_json=as_json)
        return
    if queue:
        from ace.cli import queued

        queued.refuse_limits(*limits)
        queued.learn(file, domain, run=run, seed=seed, limit=limit, wait=wait, as_json=as_json)
        return
    _only("episodes", {"--wait": wait or None})
    with _run(
        limits, kind="learn", files=(file,), domain=domain, run=run, seed=seed, limit=limit, as_json=as_json
    ) as going:
        going.learn(going.curriculum(going.tasks(file)))
        going.finish()


def train(
    file: File,
    domain: Domain = "default",
    run: RunName = None,
    limit: First = None,
    seed: Seed = 0,
    epochs: Annotated[int, typer.Option(min=1, max=20, help="times over the training tasks")] = 3,
    validation: Annotated[float, typer.Option(min=0, max=0.9, help="share of the tasks kept for validation")] = 0.2,
    batch: Annotated[int, typer.Option(min=1, help="tasks studied with the same playbook")] = 4,
    workers: Workers = 2,
    queue: Annotated[
        bool, typer.Option("--queue", help="tasks are studied by workers (ace-reflector), any number")
    ] = False,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    as_json: Json = False,
) -> None:
    """Train offline: epochs over a training part; the playbook that does best on the validation part is kept.

    Stopped or killed, the same command goes on where it was and pays for nothing twice. With --queue a batch is studied
    by other processes and merged here, in its order, so that what is learned does not depend on how many there are.

    Example: ace train tasks.jsonl --epochs 3 --max-calls 2000
    """
    settings = {"epochs": epochs, "validation": validation, "batch": batch}
    limits = (max_calls, max_tokens, max_usd)
    if queue:
        from ace.cli import queued

        queued.refuse_limits(*limits)
    with _run(
        limits,
        kind="train",
        files=(file,),
        domain=domain,
        run=run,
        seed=seed,
        limit=limit,
        more=settings,
        as_json=as_json,
        queue=queue,
    ) as going:
        training, held = going.split(going.tasks(file), validation)
        plan = going.curriculum(training)
        going.learn(replace(plan, validation=held, epochs=epochs, batch=batch, workers=workers))
        going.finish()


def evaluate(
    file: File,
    domain: Domain = "default",
    run: RunName = None,
    limit: First = None,
    seed: Seed = 0,
    workers: Workers = 2,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    as_json: Json = False,
) -> None:
    """What is the playbook worth? Each task is answered without and with it, same model, seed and temperature.

    Example: ace eval heldout.jsonl --domain finance
    """
    limits = (max_calls, max_tokens, max_usd)
    with _run(
        limits, kind="eval", files=(file,), domain=domain, run=run, seed=seed, limit=limit, as_json=as_json
    ) as going:
        going.compare(going.tasks(file), workers)
        going.finish()


def demo(
    run: RunName = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="tasks to learn from")] = DEMO_TASKS,
    as_json: Json = False,
) -> None:
    """Learn from a small real task set with a real local model, and measure what that was worth. No API key.

    Example: ace demo
    """
    from ace.cli.driver import unused_run
    from ace.utils.datasets import demo_files

    learn_file, held_file = demo_files()
    domain = run or unused_run("demo")
    job = {"kind": "learn", "files": (learn_file, held_file), "domain": domain, "run": domain, "limit": limit}
    with _run((None, None, None), **job, settings={"k": DEMO_BULLETS}, as_json=as_json) as going:
        going.say(f"Learning about US-GAAP tags in domain '{domain}', with a language model on this machine.")
        seen = going.tasks(learn_file)
        going.learn(replace(going.curriculum(seen), batch=2, workers=2))
        held = going.tasks(held_file)[:DEMO_HELD_OUT]
        going.compare(held, workers=2)
        going.baseline(seen, held)
        going.finish(next_steps=True)


def _is_episodes(file: Path) -> bool:
    from ace.utils.episode_lines import is_episodes

    return is_episodes(file)


def _only(kind: str, options: dict[str, object]) -> None:
    """Raises InvalidInput for an option that was given and means nothing here."""
    for name, value in options.items():
        if value is not None:
            raise InvalidInput(name, f"is for files of {kind}, and this is another kind", "Leave it out")


def _run(limits: tuple[int | None, int | None, float | None], **job: Any) -> Run:
    """The run of a `Job`. What it needs is imported only now: `ace --help` should not wait for it."""
    from ace.cli.driver import Job, Run
    from ace.models.run import Limits

    calls, tokens, usd = limits
    return Run(Job(**job), Limits(calls=calls, tokens=tokens, cost_usd=usd))
