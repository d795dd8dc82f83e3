"""`ace bench`: the paper's comparison, for any model and any task file. `ace bench FILE` is `ace bench run FILE`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ace.cli import complete
from ace.cli.grammar import Json
from ace.cli.runs import MaxCalls, MaxTokens, MaxUsd
from ace.errors import InvalidInput

EPOCHS, VALIDATION, TEST, WINDOW = 5, 0.2, 0.5, 2000  # five epochs: as the paper's offline training


class _OrRun(TyperGroup):
    """What is no command of it is something to bench."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if known else ["run", *args])


app = typer.Typer(
    name="bench",
    cls=_OrRun,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Compare playbook, few-shot and others on the same tasks, offline and online.",
    epilog="Example: ace bench finer formula --data finance/data",
)


@app.command()
def run(
    targets: Annotated[
        list[str], typer.Argument(help="finer, formula, demo, tickets, or your own: a task file, or a folder of parts")
    ],
    data: Annotated[Path | None, typer.Option(help="the folder with the paper's finer and formula files")] = None,
    settings: Annotated[str, typer.Option(help="by commas; default: all four (ace bench methods)")] = "",
    methods: Annotated[str, typer.Option(help="by commas; default: all (ace bench methods)")] = "",
    seeds: Annotated[int, typer.Option(min=1, max=100, help="how many: 0, 1, …")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="only the first N tasks of each part")] = None,
    epochs: Annotated[int, typer.Option(min=1, max=20, help="of offline training")] = EPOCHS,
    validation: Annotated[float, typer.Option(min=0, max=0.9, help="share of the train part; 0: none")] = VALIDATION,
    test: Annotated[float, typer.Option(min=0.01, max=1, help="share of a single file to test on")] = TEST,
    window: Annotated[int, typer.Option(min=100, help="tokens of history in a prompt at most")] = WINDOW,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="tasks worked on beside each other")] = 2,
    name: Annotated[
        str | None,
        typer.Option(
            "--run", help="folder under <data_dir>/runs; the same one continues", autocompletion=complete.runs
        ),
    ] = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    as_json: Json = False,
) -> None:
    """Run every method in every setting, and write the table.

    Offline: learn from the train part, then answer the test part. Online: the test part as a stream, each task learned
    from once it is answered. Stopped or killed, the same command goes on and pays for nothing twice.

    Example: ace bench run finer formula --data finance/data --seeds 3 --max-usd 20
    """
    from ace.cli.bench_driver import Ask, BenchDriver
    from ace.models.run import Limits

    ask = Ask(
        targets=tuple(targets), data=data, methods=_listed(methods), settings=_listed(settings), seeds=seeds,
        limit=limit, epochs=epochs, validation=validation, test=test, window=window, concurrency=concurrency,
        run=name, limits=Limits(calls=max_calls, tokens=max_tokens, cost_usd=max_usd), as_json=as_json,
    )  # fmt: skip
    with BenchDriver(ask) as driver:
        driver.work()
        driver.finish()


@app.command()
def methods(as_json: Json = False) -> None:
    """List the methods there are, what each does, and the settings it fits.

    Example: ace bench methods
    """
    from ace.cli import present
    from ace.services.bench_methods import METHODS

    rows = [{"method": name, "settings": " ".join(one.settings) if one.learns else "any", "does": one.about}
            for name, one in METHODS.items()]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows))
        return
    present.table("Methods", rows)


@app.command()
def table(
    runs: Annotated[
        list[str], typer.Argument(help="names under <data_dir>/runs, or folders", autocompletion=complete.runs)
    ],
    out: Annotated[Path | None, typer.Option(help="write it: .md, .csv, .json or .html")] = None,
    as_json: Json = False,
) -> None:
    """Join the tables of several runs: data sets and models side by side, more seeds and methods in one.

    Example: ace bench table bench-finer bench-formula --out table.html
    """
    from ace.bootstrap import App
    from ace.cli.report import run_folder
    from ace.core.bench_join import table as joined
    from ace.services.bench_methods import METHODS
    from ace.utils import bench_tables
    from ace.utils.bench_report import bench_report
    from ace.utils.bench_room import read_run
    from ace.utils.files import write_atomic

    place = App().settings.path("runs")
    found = [read_run(run_folder(one, place)) for one in runs]
    made = joined(found)
    if out is not None:
        forms = {".md": lambda: bench_tables.markdown(made), ".csv": lambda: bench_tables.comma_separated(made),
                 ".json": lambda: bench_tables.as_json(made),
                 ".html": lambda: bench_report(found, {own: one.about for own, one in METHODS.items()})}  # fmt: skip
        if out.suffix not in forms:
            raise InvalidInput("--out", f"ends in '{out.suffix}'", f"Known: {', '.join(forms)}")
        write_atomic(out, forms[out.suffix]())
    typer.echo(json.dumps(bench_tables.to_json(made)) if as_json else bench_tables.markdown(made), nl=as_json)


def _listed(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(",") if word.strip())
