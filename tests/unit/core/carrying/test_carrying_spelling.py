"""What is written into somebody's file reads as the bullet's words, does nothing, and comes back as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from ace.core.carrying.spelling import escaped, spelled, unescaped, unspelled
from tests.unit.core.carrying.texts import texts

LIVE = {
    "a file that CLAUDE.md loads": r"(?:^|\s)@((?:[^\s\\]|\\ )+)",  # as Claude Code 2.1 looks for it
    "a command that SKILL.md runs": r"(?:^|\s)!`|```!",
    "an argument": r"(?<!\\)\$(?:\d|ARGUMENTS)|\$\{CLAUDE",
    "HTML or a comment": r"(?<!\\)<[A-Za-z/!?]|--(?!\\)>",
    "an end of the line": r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]",
}


@given(texts)
def test_what_is_spelled_comes_back_and_is_all_visible(text: str) -> None:
    assert unspelled(spelled(text)) == text
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b\u202e\u00ad]", spelled(text))


@given(texts)
def test_what_is_escaped_comes_back_and_does_nothing(text: str) -> None:
    line = escaped(text)
    assert unescaped(line) == text
    assert {name for name, pattern in LIVE.items() if re.search(pattern, line)} == set(), line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("Use `git diff`, then ask a@b.example!", "Use `git diff`, then ask a@b.example!", id="plain"),
        pytest.param(r"Match \d+ and \frac{1}{2}", r"Match \d+ and \frac{1}{2}", id="letters-after-a-backslash"),
        pytest.param(r"Write \[x\]", r"Write \\[x\\]", id="punctuation-after-a-backslash"),
        pytest.param("x < 3, a->b, R&D, 5 $", "x < 3, a->b, R&D, 5 $", id="signs"),
        pytest.param("Load @~/.ssh/id_rsa", r"Load \@~/.ssh/id_rsa", id="a-file"),
        pytest.param("Run !`id`", r"Run \!`id`", id="a-command"),
        pytest.param("It costs $5 or \\$5", r"It costs \$5 or \\&#x24;5", id="money"),
        pytest.param("zero\u200bwidth &#x200B;", "zero&#x200B;width &#x26;#x200B;", id="invisible"),
    ],
)
def test_it_is_written_so(text: str, line: str) -> None:
    assert escaped(text) == line
    assert unescaped(line) == text


def test_what_others_wrote_is_read_as_markdown_has_it() -> None:
    assert (
        unescaped(r"\*not bold\* &amp; &#x27;quoted&#x27; &#xFFFFFF;")
        == "*not bold* &amp; &#x27;quoted&#x27; &#xFFFFFF;"
    )
