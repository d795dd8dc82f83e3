"""Every command of `ace`, without running one: each teaches by example, and means by a word what the others mean."""

from __future__ import annotations

import pytest

from ace.cli import app, manual, offers

COMMANDS = list(manual.every(manual.top(app)))
VERBS = [one for one in COMMANDS if not one.inner]
NAMES = [" ".join(one.words) for one in COMMANDS]
NO_JSON = {
    "ace serve",
    "ace mcp",
    "ace models pull",
    "ace claude hook",
}  # they run, or fetch; or JSON anyway


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_help_has_an_example_of_this_very_command(command: manual.Entry) -> None:
    assert command.example.startswith("ace ")
    assert "Example: ace " in " ".join(command.text.split())
    assert command.inner or command.example.split()[: len(command.words)] == list(command.words)


@pytest.mark.parametrize("command", VERBS, ids=[" ".join(one.words) for one in VERBS])
def test_options_that_commands_share_are_the_same(command: manual.Entry) -> None:
    given = {name: one for one in command.context.command.params for name in one.opts}
    assert "--domain" not in given or "-d" in given["--domain"].opts
    assert "--yes" not in given or "-y" in given["--yes"].opts
    assert not {"--output", "--force-json", "--format", "--as-json"} & set(given)
    assert all(one.help for one in command.context.command.params), "an option says what it is for"


@pytest.mark.parametrize("command", VERBS, ids=[" ".join(one.words) for one in VERBS])
def test_every_result_is_there_for_machines(command: manual.Entry) -> None:
    given = {name for one in command.context.command.params for name in one.opts}
    assert " ".join(command.words) in NO_JSON or "--json" in given


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param(["--help"], "ace [OPTIONS]", id="of-ace"),
        pytest.param(["db", "-h"], "ace db [OPTIONS]", id="of-a-noun"),
        pytest.param(["db", "backup", "--to", "x", "--help"], "ace db backup [OPTIONS]", id="after-other-words"),
    ],
)
def test_help_is_found_without_parsing(words: list[str], found: str) -> None:
    assert f"Usage: {found}" in (manual.asked(app, words) or "")


@pytest.mark.parametrize("words", [["db", "backup"], ["frobnicate", "--help"], ["db", "frobnicate", "--help"]])
def test_what_asks_for_no_help_there_is_goes_on(words: list[str]) -> None:
    assert manual.asked(app, words) is None


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        pytest.param([], "re", {"release", "review"}, id="nouns-and-verbs"),
        pytest.param(["db"], "ba", {"backup", "backups"}, id="verbs-of-a-noun"),
        pytest.param(["keys", "create", "--role"], "", {"read", "write", "review", "admin"}, id="choices"),
        pytest.param(["keys", "create", "--label", "db"], "--ro", {"--role"}, id="options"),
        pytest.param(["playbook", "show", "--raw"], "x", set[str](), id="nothing-fits"),
    ],
)
def test_what_the_shell_is_offered(words: list[str], incomplete: str, offered: set[str]) -> None:
    found = {one.value for one in offers.offers(manual.top(app), words, incomplete)}
    assert offered <= found
    assert all(one.startswith(incomplete) for one in found)
