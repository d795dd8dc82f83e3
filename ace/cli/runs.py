"""`ace learn`, `ace train`, `ace eval`, `ace demo`: runs, each with a folder of its own that it can be resumed from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli import complete
from ace.cli.grammar import Domain, Json

if TYPE_CHECKING:
    from ace.cli.driver import Run

File = Annotated[Path, typer.Argument(help="tasks: JSONL (docs/task-format.md), FiNER or Formula as they are")]
RunName = Annotated[
    str | None,
    typer.Option("--run", help="folder under <data_dir>/runs; the same one continues", autocompletion=complete.runs),
]
First = Annotated[int | None, typer.Option("--limit", min=1, help="only the first N tasks")]
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
    file: File,
    domain: Domain = "default",
    run: RunName = None,
    limit: First = None,
    seed: Seed = 0,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    as_json: Json = False,
) -> None:
    """Learn online: each task once, in order of the seed; the playbook grows after every task.

    Example: ace learn tasks.jsonl --domain finance
    """
    limits = (max_calls, max_tokens, max_usd)
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
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    as_json: Json = False,
) -> None:
    """Train offline: epochs over a training part; the playbook that does best on the validation part is kept.

    Stopped or killed, the same command goes on where it was and pays for nothing twice.

    Example: ace train tasks.jsonl --epochs 3 --max-calls 2000
    """
    settings = {"epochs": epochs, "validation": validation, "batch": batch}
    limits = (max_calls, max_tokens, max_usd)
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


def _run(limits: tuple[int | None, int | None, float | None], **job: Any) -> Run:
    """The run of a `Job`. What it needs is imported only now: `ace --help` should not wait for it."""
    from ace.cli.driver import Job, Run
    from ace.models.run import Limits

    calls, tokens, usd = limits
    return Run(Job(**job), Limits(calls=calls, tokens=tokens, cost_usd=usd))
