"""Our hooks in Claude Code's settings: once, beside what others put there, and out again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ace.errors import InvalidInput
from ace.integrations.claude_settings import EVENTS, read, with_hooks, without_hooks, write

COMMAND = "ace claude hook --domain a --url http://127.0.0.1:8000"
LINT = {"matcher": "Edit", "hooks": [{"type": "command", "command": "make lint"}]}
NOTIFY = {"hooks": [{"type": "command", "command": "notify"}]}
OTHERS: dict[str, Any] = {"model": "opus", "hooks": {"PostToolUse": [LINT], "Stop": [NOTIFY]}, "env": {"A": "ü"}}


def commands(settings: dict[str, Any]) -> list[str]:
    return [hook["command"] for groups in settings["hooks"].values() for group in groups for hook in group["hooks"]]


@pytest.mark.parametrize("before", [{}, OTHERS], ids=["nothing", "others"])
def test_what_is_put_in_is_there_once_and_comes_out_whole(before: dict[str, Any]) -> None:
    after = with_hooks(before, COMMAND)
    assert commands(after).count(COMMAND) == len(EVENTS)
    assert with_hooks(after, COMMAND) == after
    assert without_hooks(after) == before
    assert {name: value for name, value in after.items() if name != "hooks"} == {
        name: value for name, value in before.items() if name != "hooks"
    }


def test_another_domain_takes_the_place_of_the_first() -> None:
    moved = with_hooks(with_hooks(OTHERS, COMMAND), "/venv/bin/python -m ace claude hook --domain b")
    assert moved == with_hooks(OTHERS, "/venv/bin/python -m ace claude hook --domain b")
    assert commands(moved).count("notify") == 1 and COMMAND not in commands(moved)


def test_only_the_events_that_a_prompt_does_not_wait_for_run_in_the_background() -> None:
    hooks = with_hooks({}, COMMAND)["hooks"]
    assert {event: group["hooks"][0].get("async", False) for event, (group,) in hooks.items()} == {
        "UserPromptSubmit": False, "Stop": True, "SessionEnd": True}  # fmt: skip


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / ".claude" / "settings.json"
    assert read(file) == {}
    write(file, OTHERS)
    assert read(file) == OTHERS and '"A": "ü"' in file.read_text()


@pytest.mark.parametrize("text", ["{", "[]", '{"hooks": []}', '{"hooks": {"Stop": [{}]}}'])
def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.json"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=r"settings\.json: is not a settings\.json of Claude Code"):
        read(file)
