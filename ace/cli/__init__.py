"""The `ace` command: parse, call one service, present. Heavy imports happen inside the commands.

Exit codes: 0 done · 1 a fault of ours · 2 something for you to mend · 3 the model's fault · 4 an outage.
"""

from __future__ import annotations

import json
import sys

import typer

from ace import quick_settings
from ace.cli import (
    ask,
    bench,
    claude,
    database,
    doctor,
    evidence,
    guardrail,
    history,
    init,
    journal,
    keys,
    manual,
    mcp,
    models,
    playbook,
    refine,
    releases,
    replay,
    replay_blame,
    report,
    review,
    runs,
    serve,
    simulate,
    traces,
    usage,
    worker,
)
from ace.cli.grammar import Json
from ace.errors import AceError, exit_code

NEEDS_NO_SETTINGS = {"init", "doctor", "version"}

app = typer.Typer(
    name="ace",
    help="A playbook that LLM agents learn from what happens to them.",
    epilog="Example: ace demo",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text: Rich alone takes longer to import than help may take
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": manual.WIDTH},
)
init.register(app)
doctor.register(app)
ask.register(app)
runs.register(app)
report.register(app)
serve.register(app)
worker.register(app)
mcp.register(app)
history.register(app)
evidence.register(app)
guardrail.register(app)
usage.register(app)
simulate.register(app)
refine.register(playbook.app)
app.add_typer(playbook.app, name="playbook")
app.add_typer(journal.app, name="journal")
app.add_typer(releases.app, name="release")
app.add_typer(replay.app, name="replay")
app.add_typer(traces.app, name="traces")
replay_blame.register(replay.app)
app.add_typer(bench.app, name="bench")
app.add_typer(review.app, name="review")
app.add_typer(models.app, name="models")
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(claude.app, name="claude")


@app.callback()
def configure() -> None:
    """Before any command, but for those that make or mend the settings."""
    if NEEDS_NO_SETTINGS & set(sys.argv[1:2]):
        return
    from ace.config import get_settings
    from ace.utils import logs

    logs.configure(get_settings(), "cli", quiet=True)


@app.command()
def version(as_json: Json = False) -> None:
    """Print the version.

    Example: ace version
    """
    from ace import __version__

    typer.echo(json.dumps({"version": __version__}) if as_json else __version__)


def main() -> None:
    """Run the command; an error of ours becomes one line on stderr and an exit code."""
    if shell := quick_settings.shell_that_asks():
        return _complete(shell)
    if (text := manual.asked(app, sys.argv[1:])) is not None:
        typer.echo(text)
        return None
    try:
        app()
    except AceError as error:
        typer.secho(f"ace: {error}", fg="red", err=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        typer.secho("ace: stopped; what was finished is kept.", err=True)
        sys.exit(130)


def _complete(shell: str) -> None:
    from ace.cli import offers

    if (answer := offers.complete(app, shell)) is not None:
        typer.echo(answer)
