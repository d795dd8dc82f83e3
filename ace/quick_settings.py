"""Where the database is, read the way `ace.config` reads it, without what that has to import first.

For shell completion, which answers within the time between two key strokes, and for the hook of Claude Code, which a
session waits for. The order is the same: the environment, `.env`, `ace.toml` (or the file ACE_CONFIG names), the
default. What cannot be read is passed over here: it is the command that says so.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def database_url() -> str:
    """What `Settings.database` says."""
    given = next((url for url in _found("database_url") if url), None)
    if given is None:
        return f"sqlite:///{data_dir() / 'ace.db'}"
    return given.replace("postgresql://", "postgresql+psycopg://", 1)


def shell_that_asks() -> str | None:
    """The shell that wants a command line completed, as Typer's scripts say it; None: a person runs a command."""
    asked, _, shell = os.environ.get("_ACE_COMPLETE", "").partition("_")
    return shell if asked == "complete" else None


def data_dir() -> Path:
    """What `Settings.data_dir` says."""
    return Path(next(_found("data_dir"), ".ace"))


def server_key() -> str | None:
    """What `Settings.server_key` says."""
    return next(_found("server_key"), None)


def server_url() -> str | None:
    """What `Settings.server_url` says."""
    return next(_found("server_url"), None)


def server_domain() -> str:
    """What `Settings.server_domain` says."""
    return next(_found("server_domain"), "default")


def _found(name: str) -> Iterator[str]:
    """The values of one setting, the one that wins first."""
    upper = f"ACE_{name}".upper()
    sources: tuple[Mapping[str, Any], ...] = (os.environ, _dotenv())
    yield from (str(source[upper]) for source in sources if upper in source)
    toml = _toml()
    yield from (str(toml[name]) for name in (name,) if name in toml)


def _dotenv() -> Mapping[str, Any]:
    if not Path(".env").is_file():
        return {}
    try:
        from dotenv import dotenv_values
    except ModuleNotFoundError:  # a client alone: its settings are in the environment
        return {}
    return {key.upper(): value for key, value in dotenv_values(".env").items() if value is not None}


def _toml() -> Mapping[str, Any]:
    try:
        return tomllib.loads(Path(os.environ.get("ACE_CONFIG", "ace.toml")).read_text())
    except (OSError, ValueError):
        return {}
