"""What the shell offers for a domain, a bullet, a review item, a release: read from the database, within a second.

Nothing heavy is imported: a person waits between two key strokes.
"""

from __future__ import annotations

from typing import Any

import typer

TEXT_CHARS = 60


def domains(incomplete: str) -> list[str]:
    """The domains there are."""
    from ace.repositories import glance

    return glance.domains(incomplete)


def bullets(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The bullets of the domain on the command line, each with the beginning of its text."""
    from ace.repositories import glance

    return [(own, _short(text)) for own, text in glance.bullets(_domain(context), incomplete)]


def waiting(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The items of that domain that wait for a person."""
    from ace.repositories import glance

    return [(own, _short(text)) for own, text in glance.waiting(_domain(context), incomplete)]


def positions(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """`head`, and the releases of that domain."""
    from ace.repositories import glance

    start = incomplete.removeprefix("release:") if incomplete.startswith("release:") else ""
    named = [(f"release:{name}", _short(note)) for name, note in glance.releases(_domain(context), start)]
    return [one for one in [("head", "as it is now"), *named] if one[0].startswith(incomplete)]


def runs(incomplete: str) -> list[str]:
    """The folders of runs."""
    from ace import quick_settings

    folder = quick_settings.data_dir() / "runs"
    return sorted(one.name for one in folder.glob("*") if one.is_dir() and one.name.startswith(incomplete))


def _domain(context: typer.Context) -> str:
    given: Any = context.params.get("domain")
    return str(given or "default")


def _short(text: str) -> str:
    """One line that no terminal can be harmed by."""
    from ace.core.rendering import one_line

    return one_line(text)[:TEXT_CHARS]
