"""`ace db backup` and what belongs to it: list, verify, restore, drill."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ace.cli.grammar import Json, Yes
from ace.errors import InvalidInput

Where = Annotated[
    str, typer.Argument(metavar="FILE_OR_URL", help="a file, s3://…/name, a name `backups` lists, latest")
]
TO_HELP = "a folder, file:// or s3://bucket/prefix; default: ACE_BACKUP_URL, else <data_dir>/backups"
To = Annotated[str | None, typer.Option("--to", help=TO_HELP)]


def register(app: typer.Typer) -> None:
    """Add the commands to `ace db`."""
    for command in (backup, backups, verify, restore, drill):
        app.command()(command)


def backup(
    to: To = None,
    keep: Annotated[int | None, typer.Option(min=1, help="delete all but the newest N afterwards")] = None,
    without_secrets: Annotated[bool, typer.Option(help="leave out API keys and server secrets")] = False,
    as_json: Json = False,
) -> None:
    """Save everything, as of one moment, to a file; read it back from there and check it.

    Example: ace db backup --to s3://ace-backups/production --keep 14
    """
    from ace.bootstrap import App
    from ace.cli import backup_view as view

    app = App()
    with _scratch() as scratch, view.progress(as_json) as step:
        taken = app.backups.take(
            app.tables(), app.backup_place(to), scratch, secrets=not without_secrets, keep=keep, step=step
        )
    view.taken(taken, as_json)


def backups(to: To = None, as_json: Json = False) -> None:
    """List the backups, oldest first.

    Example: ace db backups
    """
    from ace.bootstrap import App
    from ace.cli import backup_view as view

    place = App().backup_place(to)
    view.listed(place.url(""), place.listed(), as_json)


def verify(where: Where, as_json: Json = False) -> None:
    """Check a backup without a database: its seal, every domain's hash chain, and what the journal adds up to.

    Exit code 2 when it cannot be used.

    Example: ace db verify latest
    """
    from ace.bootstrap import App
    from ace.cli import backup_view as view

    with _fetched(where) as (file, source), view.progress(as_json) as step:
        examined = App().backups.examine(file, step)
    view.examined(source, examined, as_json)


def restore(
    where: Where,
    into: Annotated[str | None, typer.Option(help="a database URL; default: ACE_DATABASE_URL")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="delete what the database holds")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put a backup into a database: all of it, or nothing. SQLite and Postgres take each other's.

    Example: ace db restore latest --into sqlite:///restored.db
    """
    from ace.bootstrap import App
    from ace.cli import backup_view as view

    app = App()
    tables = app.tables(into)
    if replace and not yes:
        _confirm(f"Delete everything in {tables.place}, and put {where} in its place?")
    with _fetched(where) as (file, source), view.progress(as_json) as step:
        restored = app.backups.restore(file, tables, replace=replace, step=step)
    view.restored(source, restored, as_json)


def drill(
    where: Annotated[str | None, typer.Argument(metavar="[FILE_OR_URL]", help="default: a backup taken now")] = None,
    database_url: Annotated[str | None, typer.Option(help="a Postgres where a scratch database may be made")] = None,
    as_json: Json = False,
) -> None:
    """Prove that a backup can be restored: put it into a scratch database, compare every row and some searches.

    Exit code 4 when it does not come back as it was.

    Example: ace db drill latest
    """
    from ace.bootstrap import App
    from ace.cli import backup_view as view
    from ace.repositories.dump import Dump
    from ace.repositories.scratch import scratch_database
    from ace.services.drills import drill as drilled

    app = App()
    with (
        _scratch() as folder,
        _taken_or_fetched(where, folder, as_json) as (file, source),
        scratch_database(folder, database_url) as database,
        app.drill_search(database, folder / "index") as search,
        view.progress(as_json) as step,
    ):
        report = drilled(file, source, backups=app.backups, scratch=Dump(database), search=search, step=step)
    view.drilled(report, as_json)
    raise typer.Exit(4 if report.fault else 0)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for this command alone."""
    with TemporaryDirectory(prefix="ace-backup-") as folder:
        yield Path(folder)


@contextmanager
def _fetched(where: str) -> Iterator[tuple[Path, str]]:
    """A file with the backup, and where it is from."""
    from ace.bootstrap import App
    from ace.utils.object_store import locate

    place, name = locate(where, App().backup_place())
    with _scratch() as scratch:
        yield place.fetch(name, scratch), place.url(name)


@contextmanager
def _taken_or_fetched(where: str | None, folder: Path, as_json: bool) -> Iterator[tuple[Path, str]]:
    from ace.bootstrap import App
    from ace.cli import backup_view as view

    if where is not None:
        with _fetched(where) as found:
            yield found
        return
    app = App()
    with view.progress(as_json) as step:
        taken = app.backups.take(app.tables(), app.backup_place(str(folder / "taken")), folder, step=step)
    yield Path(taken.url), "a backup taken now"


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise InvalidInput("--replace", "would delete what the database holds, and there is nobody to ask", "Add --yes")
    typer.confirm(question, abort=True, err=True)
