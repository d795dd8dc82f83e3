"""`ace report`: the page of a run, for people: one file that needs nothing else."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ace.cli import complete
from ace.cli.grammar import Json


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(report)


def report(
    run: Annotated[
        str, typer.Argument(help="a run's name under <data_dir>/runs, or its folder", autocompletion=complete.runs)
    ],
    out: Annotated[Path | None, typer.Option(help="the file to write; default: report.html in the folder")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
    as_json: Json = False,
) -> None:
    """Write a run's report: what it learned, from what, at what cost, and what that was worth. Unfinished runs too.

    Example: ace report demo --out report.html
    """
    from ace.bootstrap import App
    from ace.system import private
    from ace.utils.files import write_atomic
    from ace.utils.report import run_report
    from ace.utils.run_folder import RunReader

    app = App()
    folder = run_folder(run, app.settings.path("runs"))
    reader = RunReader(folder)
    file = out or folder / "report.html"
    if reader.config.get("kind") == "bench":
        html = _bench(folder, reader.summary() or {})
    else:
        html = run_report(reader, app.store.get_all(str(reader.config.get("domain", "default"))))
    write_atomic(file, html, mode=private.BY_UMASK if out else private.FILE)
    if open_it:
        webbrowser.open(file.absolute().as_uri())
    facts = {"run": folder.name, "report": str(file)}
    typer.echo(json.dumps(facts) if as_json else f"Report  {file}")


def _bench(folder: Path, summary: Mapping[str, Any]) -> str:
    from ace.services.bench_methods import METHODS
    from ace.utils.bench_report import bench_report
    from ace.utils.bench_room import read_run

    about = {name: method.about for name, method in METHODS.items()}
    return bench_report([read_run(folder)], about, str(summary.get("stopped", "")))


def run_folder(run: str, runs: Path) -> Path:
    """The run's folder: one of ours by name, else as given. Raises NotFound."""
    from ace.errors import NotFound

    for folder in (runs / run, Path(run)):
        if (folder / "run.json").is_file():
            return folder
    known = sorted(one.name for one in runs.glob("*") if (one / "run.json").is_file())
    raise NotFound(f"There is no run '{run}' under {runs}. Known: {', '.join(known[:20]) or 'none'}.")
