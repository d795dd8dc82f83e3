"""The `ace` command: parse, call one service, present. Heavy imports happen inside the commands.

Exit codes: 0 done · 1 a fault of ours · 2 something for you to mend · 3 the model's fault · 4 an outage.
"""

from __future__ import annotations

import sys

import typer

from ace.cli import (
    database,
    guardrail,
    history,
    journal,
    keys,
    models,
    playbook,
    releases,
    review,
    runs,
    serve,
    simulate,
    usage,
)
from ace.errors import AceError, exit_code

app = typer.Typer(
    name="ace",
    help="A playbook that LLM agents learn from what happens to them.",
    epilog="Start with: ace demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
runs.register(app)
serve.register(app)
history.register(app)
guardrail.register(app)
simulate.register(app)
usage.register(app)
app.add_typer(playbook.app, name="playbook")
app.add_typer(journal.app, name="journal")
app.add_typer(releases.app, name="release")
app.add_typer(review.app, name="review")
app.add_typer(models.app, name="models")
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")


@app.callback()
def configure() -> None:
    """Before any command; help is shown without it."""
    from ace.config import get_settings
    from ace.utils import logs

    logs.configure(get_settings(), "cli", quiet=True)


@app.command()
def version() -> None:
    """Print the version."""
    from ace import __version__

    typer.echo(__version__)


def main() -> None:
    """Run the command; an error of ours becomes one line on stderr and an exit code."""
    try:
        app()
    except AceError as error:
        typer.secho(f"ace: {error}", fg="red", err=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        typer.secho("ace: stopped; what was finished is kept.", err=True)
        sys.exit(130)
