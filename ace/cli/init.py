"""`ace init`: the first command. Asks in a terminal, takes options everywhere, and writes `ace.toml`."""

from __future__ import annotations

import json
import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.grammar import Json, is_terminal
from ace.errors import Conflict

if TYPE_CHECKING:
    from ace.config import Settings


class Env(StrEnum):
    """As `Settings.env`."""

    SHADOW = "shadow"
    STAGING = "staging"
    PRODUCTION = "production"


QUESTIONS = {
    "model": ("Language model: 'local', or provider/name such as openai/gpt-5-mini", "local"),
    "model_base_url": ("Its address, for a server of your own (empty: the provider's)", ""),
    "database_url": ("Database (empty: a SQLite file in the data directory)", ""),
    "data_dir": ("Data directory", ".ace"),
    "embeddings_url": ("Embeddings server (empty: the local model)", ""),
    "env": ("Environment: shadow, staging or production", "shadow"),
}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(init)


def init(
    model: Annotated[str | None, typer.Option(help="'local', or provider/name: openai/gpt-5-mini")] = None,
    model_base_url: Annotated[str | None, typer.Option(help="an OpenAI-compatible server's /v1")] = None,
    database_url: Annotated[str | None, typer.Option(help="postgresql://…; default: SQLite in the data dir")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="indices, runs, logs; default: .ace")] = None,
    embeddings_url: Annotated[str | None, typer.Option(help="an OpenAI-compatible /v1; default: local")] = None,
    embeddings_model: Annotated[str | None, typer.Option(help="its name at that server")] = None,
    env: Annotated[Env | None, typer.Option(help="whose bullets are shown")] = None,
    file: Annotated[Path, typer.Option(help="where to write")] = Path("ace.toml"),
    force: Annotated[bool, typer.Option("--force", help="replace the file if there is one")] = False,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="do not ask; what is not given keeps its default")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write ace.toml: which model, which database, where the data is. Asks for what is not given, in a terminal.

    Example: ace init --model openai/gpt-5-mini --database-url postgresql://ace@127.0.0.1/ace
    """
    if file.exists() and not force:
        raise Conflict(f"{file} exists already and stays as it is. Replace it with --force, or write another: --file.")
    given = {
        "model": model,
        "model_base_url": model_base_url,
        "database_url": database_url,
        "data_dir": data_dir,
        "embeddings_url": embeddings_url,
        "embeddings_model": embeddings_model,
        "env": env.value if env else None,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if is_terminal() and not (as_json or defaults):
        chosen = _asked(chosen)
    _checked(chosen)
    _write(file, chosen)
    _tell(file, chosen, as_json)


def _asked(chosen: dict[str, Any]) -> dict[str, Any]:
    """What was chosen, and what the person says about the rest."""
    for name, (question, default) in QUESTIONS.items():
        if name in chosen or (name == "model_base_url" and chosen["model"] == "local"):
            continue
        answer = str(typer.prompt(question, default=default, show_default=bool(default), err=True)).strip()
        if answer:
            chosen[name] = answer
    return chosen


def _checked(chosen: dict[str, Any]) -> None:
    """Raises InvalidInput for what the settings would not take."""
    from ace.config import settings_alone
    from ace.repositories.database import parse

    parse(settings_alone(**chosen).database)


def _write(file: Path, chosen: dict[str, Any]) -> None:
    """For its owner alone: a database URL may hold a password."""
    from ace.cli.config_file import render
    from ace.utils.files import disk_faults, write_atomic

    write_atomic(file, render(chosen))
    with disk_faults(file):
        file.chmod(0o600)


def _tell(file: Path, chosen: dict[str, Any], as_json: bool) -> None:
    overruled, steps = _overruled(file, chosen), _next_steps(file, chosen)
    if as_json:
        typer.echo(json.dumps({"file": str(file), "overruled": overruled, "next": steps}))
        return
    typer.echo(f"{file} is written.")
    for variable in overruled:
        typer.secho(f"{variable} is set in the environment or .env, and goes before this file.", fg="yellow", err=True)
    typer.echo("Next:\n" + "\n".join(f"  {step}" for step in steps))


def _overruled(file: Path, chosen: dict[str, Any]) -> list[str]:
    """The variables that say something else than the file does, where it is the one that is read."""
    from ace.config import config_file, load_settings

    def says(settings: Settings, name: str) -> str:
        value = getattr(settings, name)
        return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)

    if file.absolute() != config_file().absolute():
        return []
    found = load_settings()
    return [f"ACE_{name.upper()}" for name, value in chosen.items() if says(found, name) != str(value)]


def _next_steps(file: Path, chosen: dict[str, Any]) -> list[str]:
    """The commands that come after this one."""
    from ace.config import config_file
    from ace.utils.llm_reach import key_variable

    local = chosen.get("model", "local") == "local"
    steps = [] if file.absolute() == config_file().absolute() else [f"export ACE_CONFIG={shlex.quote(str(file))}"]
    steps += ["ace models pull"] if local or "embeddings_url" not in chosen else []
    steps += [] if local or "model_base_url" in chosen else [f"export {key_variable(chosen['model'])}=…"]
    steps += ["ace db upgrade"] if str(chosen.get("database_url", "")).startswith("postgres") else []
    return [*steps, "ace doctor", "ace demo" if local else "ace learn tasks.jsonl"]
