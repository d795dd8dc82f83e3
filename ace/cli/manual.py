"""Help without parsing: the command that the words lead to says what it can do.

Typer would load Pydantic for the first word it parses, which takes longer than help may take. The pages in
docs/reference are made from the same walk over all commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.main import get_command

HELP = {"-h", "--help"}
WIDTH = 100


@dataclass(frozen=True)
class Entry:
    """One command: the words that lead to it, and the context it would run in."""

    words: tuple[str, ...]
    context: Any

    @property
    def text(self) -> str:
        """All that `--help` says."""
        return str(self.context.get_help())

    @property
    def summary(self) -> str:
        """What it does, in a sentence or two."""
        return self._paragraphs[0]

    @property
    def example(self) -> str:
        """A command line that works; `ace COMMAND --help` shows it too."""
        given = next(text for text in self._paragraphs if "Example: " in text)
        return given.partition("Example: ")[2]

    @property
    def _paragraphs(self) -> list[str]:
        told = self.context.command.help or "", self.context.command.epilog or ""
        return [" ".join(part.split()) for text in told for part in text.split("\n\n") if part.strip()]

    @property
    def inner(self) -> dict[str, Any]:
        """The commands inside it; it is a noun when there are some."""
        commands: dict[str, Any] = getattr(self.context.command, "commands", {})
        return {name: command for name, command in commands.items() if not command.hidden}

    def down(self, name: str) -> Entry:
        """The command of this name inside it."""
        made = type(self.context)(self.inner[name], info_name=name, parent=self.context, max_content_width=WIDTH)
        return Entry((*self.words, name), made)


def top(app: typer.Typer) -> Entry:
    """`ace` itself."""
    command = get_command(app)
    return Entry(("ace",), command.context_class(command, info_name="ace", **command.context_settings))


def every(entry: Entry) -> Iterator[Entry]:
    """It, and every command inside it."""
    yield entry
    for name in entry.inner:
        yield from every(entry.down(name))


def asked(app: typer.Typer, words: Sequence[str]) -> str | None:
    """The help these words ask for; None when they ask for something else, or for help on what there is not."""
    if not HELP & set(words):
        return None
    entry = top(app)
    for word in words:
        if word not in entry.inner:
            break
        entry = entry.down(word)
    rest = words[len(entry.words) - 1 :]
    return entry.text if not entry.inner or rest[0] in HELP else None
