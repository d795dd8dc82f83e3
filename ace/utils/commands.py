"""What every command but `ace` itself does around its work: options, help, errors as one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from ace.errors import AceError, exit_code


def run(command: Callable[..., None]) -> None:
    """Parse the command line, do the work, leave with 0, or with the exit code of `ace.errors`."""
    name, app = Path(sys.argv[0]).stem, typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(command)
    try:
        app()
    except AceError as error:
        typer.secho(f"{name}: {error}", fg="red", err=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        typer.secho(f"{name}: stopped; what was finished is kept.", err=True)
        sys.exit(130)
