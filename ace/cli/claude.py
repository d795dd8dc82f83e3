"""`ace claude`: Claude Code with a playbook: hooks for its sessions, and lessons from those it has had."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.grammar import Domain, DryRun, Json
from ace.errors import InvalidInput

if TYPE_CHECKING:
    from ace.integrations.claude_transcript import Turn
    from ace.sdk.playbook import Playbook

app = typer.Typer(
    help="Claude Code with a playbook.\n\nExample: ace claude install --domain my-project", no_args_is_help=True
)
SERVER = "http://127.0.0.1:8000"
Url = Annotated[str, typer.Option(help="the server: ace serve; its key is ACE_SERVER_KEY")]
Patience = Annotated[
    float | None, typer.Option(min=0, help="seconds a prompt waits at most, from the command's start; default: 0.45")
]


class Scope(StrEnum):
    """Which settings.json."""

    PROJECT = "project"
    LOCAL = "local"
    USER = "user"


FILES = {
    Scope.PROJECT: Path(".claude/settings.json"),
    Scope.LOCAL: Path(".claude/settings.local.json"),
    Scope.USER: Path("~/.claude/settings.json"),
}


@app.command()
def hook(
    domain: Domain = "default",
    url: Url = SERVER,
    patience: Patience = None,
) -> None:
    """What Claude Code runs at its events: an event's JSON on stdin, our answer on stdout.

    A session neither waits longer for it than `patience` says nor fails because of it: exit code 0, whatever happens.

    Example: ace claude hook --domain my-project < event.json
    """
    from ace.integrations import claude_hook

    claude_hook.main(_words(domain, url, patience), time.monotonic())


@app.command()
def install(
    domain: Domain = "default",
    url: Url = SERVER,
    patience: Patience = None,
    scope: Annotated[Scope, typer.Option(help="this project's, mine in this project, or mine everywhere")] = (
        Scope.PROJECT
    ),
    uninstall: Annotated[bool, typer.Option("--uninstall", help="take the hooks out again")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Write the hooks into Claude Code's settings.json; what stands there stays, and twice is once.

    Example: ace claude install --domain my-project --dry-run
    """
    from ace.integrations import claude_settings

    file = FILES[scope].expanduser()
    before = claude_settings.read(file)
    command = f"{_ace()} claude hook {shlex.join(_words(domain, url, patience))}"
    after = claude_settings.without_hooks(before) if uninstall else claude_settings.with_hooks(before, command)
    if before != after and not dry_run:
        claude_settings.write(file, after)
    if as_json:
        typer.echo(json.dumps({"file": str(file), "changed": before != after, "dry_run": dry_run, "settings": after}))
        return
    typer.echo(claude_settings.difference(file, before, after) or f"{file}: nothing to change")


@app.command()
def learn(
    paths: Annotated[list[Path], typer.Argument(help="transcripts, or folders of them: ~/.claude/projects")],
    domain: Domain = "default",
    url: Annotated[str | None, typer.Option(help="a server to report to; default: the database here")] = None,
    as_episodes: Annotated[
        Path | None, typer.Option(help="write a file for `ace learn` instead, to be looked through first")
    ] = None,
    as_json: Json = False,
) -> None:
    """Report what Claude Code did in its sessions: every prompt with its answer and tools is an episode, once.

    Secrets are cut out. No model is asked: the episodes wait for a reflector.

    Example: ace claude learn ~/.claude/projects/-home-me-project --domain my-project
    """
    from ace.integrations import claude_code, claude_transcript

    files = claude_transcript.transcripts(path.expanduser() for path in paths)
    if not files:
        raise InvalidInput("paths", f"there is no .jsonl at {paths[0]}", "Name a transcript or a folder of them")
    found = [turn for file in files for turn in claude_code.read(file)]
    told: dict[str, Any] = {"sessions": len({turn.session for turn in found}), "episodes": len(found)}
    if as_episodes is None:
        with _playbook(domain, url) as playbook:
            told = {"domain": domain, **told, **_reported(found, playbook, quiet=as_json)}
    else:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in claude_code.lines(found))
        as_episodes.write_text(text, encoding="utf-8")
        told["file"] = str(as_episodes)
    _tell(told, as_json)


def _reported(found: list[Turn], playbook: Playbook, *, quiet: bool) -> dict[str, int]:
    from ace.cli import present
    from ace.integrations import claude_code

    counted = Counter(new=0, repeated=0)
    with present.Steps("reporting", len(found), quiet=quiet) as steps:
        for turn in found:
            counted["new" if claude_code.report(turn, playbook) else "repeated"] += 1
            steps.step()
    return dict(counted)


def _playbook(domain: str, url: str | None) -> Playbook:
    from ace import Playbook, quick_settings

    return Playbook(domain, url=url, key=quick_settings.server_key() if url else None)


def _tell(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told))
        return
    typer.echo(", ".join(f"{count} {name}" for name, count in told.items() if isinstance(count, int)))
    waits = (
        f"Look it through, then: ace learn {told['file']}"
        if "file" in told
        else "They wait for a reflector: ace worker"
    )
    typer.echo(waits, err=True)


def _words(domain: str, url: str, patience: float | None) -> list[str]:
    """The options of a hook."""
    return ["--domain", domain, "--url", url, *(() if patience is None else ("--patience", f"{patience:g}"))]


def _ace() -> str:
    """How a shell finds this command: by name, where it does."""
    return "ace" if shutil.which("ace") else f"{shlex.quote(sys.executable)} -m ace"
