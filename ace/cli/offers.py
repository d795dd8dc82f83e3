"""What the shell is offered for a half-typed command line, without parsing it: Typer's parser would load Pydantic.

what is typed           offered
a value of an option    what the option's completer knows, or its choices
-…                      the options of the command
in a noun               its verbs
otherwise               what the next argument's completer knows
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from ace.cli.manual import WIDTH, Entry, top


def complete(app: typer.Typer, shell: str) -> str | None:
    """The answer to this shell, in its own way of asking and being told; None for a shell Typer does not know."""
    from typer._click.shell_completion import get_completion_class
    from typer._completion_classes import completion_init

    completion_init()
    known = get_completion_class(shell)
    if known is None:
        return None
    entry = top(app)

    class Quick(known):  # type: ignore[misc, valid-type]  # the shell's own class, its parsing aside
        def get_completions(self, args: list[str], incomplete: str) -> list[Any]:
            return offers(entry, args, incomplete)

    return str(Quick(entry.context.command, {}, "ace", "_ACE_COMPLETE").complete())


def offers(entry: Entry, words: Sequence[str], incomplete: str) -> list[Any]:
    """The completions of `incomplete`, typed after these words of a command line."""
    left, given = list(words), 0
    while left:
        word = left.pop(0)
        option = _options(entry).get(word)
        if option is not None and not option.is_flag:
            if not left:
                return list(option.shell_complete(entry.context, incomplete))
            entry.context.params[option.name] = left.pop(0)
        elif word in entry.inner:
            entry, given = entry.down(word), 0
        elif option is None:
            given += 1
    return _next(entry, given, incomplete)


def _next(entry: Entry, given: int, incomplete: str) -> list[Any]:
    if incomplete.startswith("-"):
        return [_item(name, option.help) for name, option in _options(entry).items() if name.startswith(incomplete)]
    if entry.inner:
        verbs = ((name, command.get_short_help_str(WIDTH)) for name, command in entry.inner.items())
        return [_item(name, told) for name, told in verbs if name.startswith(incomplete)]
    arguments = [one for one in entry.context.command.params if one.param_type_name == "argument"]
    many = arguments and arguments[-1].nargs == -1
    if not arguments or (given >= len(arguments) and not many):
        return []
    return list(arguments[min(given, len(arguments) - 1)].shell_complete(entry.context, incomplete))


def _options(entry: Entry) -> dict[str, Any]:
    options = (one for one in entry.context.command.get_params(entry.context) if one.param_type_name == "option")
    return {name: option for option in options for name in (*option.opts, *option.secondary_opts)}


def _item(value: str, told: str | None) -> Any:
    from typer._click.shell_completion import CompletionItem

    return CompletionItem(value, help=told)
