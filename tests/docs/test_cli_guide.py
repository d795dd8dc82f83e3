"""Whatever the guide to the command line tells a reader to type works, in the order shown; its tables are right."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ace.cli import app, checks, manual
from ace.core import checkup
from ace.core.schedule import LEASE_S
from ace.testing.llm import ChatRequest, Reply, ScriptedLLM, say
from tests.e2e.conftest import Ace, ace  # noqa: F401  fixtures

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "cli.md"
GUIDE = PAGE.read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, flags=re.M | re.S)
COMMANDS = [line.split("  #")[0].split(" # ")[0].strip() for language, body in BLOCKS if language == "bash"
            for line in body.splitlines()]  # fmt: skip


def desk(request: ChatRequest) -> Reply:
    """Answers whatever it is asked, and has a lesson for whatever went wrong."""
    if "lessons" in (request.schema or {}).get("properties", {}):
        lesson = {
            "section": "strategy",
            "content": "A customer who was charged twice is for billing.",
            "confidence": 0.9,
        }
        return say(json.dumps({"tags": {}, "lessons": [lesson]}))
    return say(json.dumps({"reasoning": "as it seems", "answer": "billing", "cited": []}))


@pytest.fixture
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM(desk) as server:
        yield server


def test_every_command_of_the_guide_works_in_the_order_shown(ace: Ace) -> None:  # noqa: F811
    ace.tasks("tasks.jsonl", ["amber", "birch"])
    ace.tasks("heldout.jsonl", ["amber"])
    (episode,) = [body for language, body in BLOCKS if language == "json"]
    (ace.home / "episodes.jsonl").write_text(episode)
    for command in COMMANDS:
        _, *words = shlex.split(command)
        ace(*words, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")


def test_every_check_is_in_the_table() -> None:
    assert set(re.findall(r"`([a-z ]+)`", "".join(re.findall(r"^\| (`.*?) \|", GUIDE, re.M)))) >= set(checks.CHECKS)


def test_the_numbers_are_the_codes() -> None:
    assert (checkup.SKEW_S, LEASE_S) == (2.0, 15.0)
    assert (checkup.DISK_LOW, checkup.DISK_FULL, checkup.EXPIRY_S, checkup.BACKUP_S) == (
        2e9, 2e8, 14 * 86_400, 2 * 86_400,
    )  # fmt: skip


def test_the_grammar_names_what_there_is() -> None:
    (grammar,) = [body for language, body in BLOCKS if language == "text"]
    named = set(re.findall(r"[a-z]+", " ".join(re.findall(r": (.*)", grammar))))
    assert named <= set(manual.top(app).inner)
    nouns = {name for name in manual.top(app).inner if manual.top(app).down(name).inner}
    assert nouns <= named


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", GUIDE))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (PAGE.parent / link).exists()
