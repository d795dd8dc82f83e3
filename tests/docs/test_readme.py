"""Whatever the README tells a reader to type works."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from ace.utils.datasets import load
from ace.web.schemas import ContextRequest
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.M | re.S)
COMMANDS = [
    line.split("  #")[0].strip()
    for language, body in BLOCKS
    if language == "bash"
    for line in body.splitlines()
    if line.strip()
]


def test_every_make_target_shown_is_one() -> None:
    targets = [command.split()[1] for command in COMMANDS if command.startswith("make ")]
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_every_task_shown_is_a_task(tmp_path: Path) -> None:
    for number, body in enumerate(body for language, body in BLOCKS if language == "json" and "question" in body):
        file = tmp_path / f"{number}.jsonl"
        file.write_text(body)
        assert load(file).tasks


def test_every_ace_command_shown_works_in_the_order_shown(ace: Ace) -> None:  # noqa: F811
    ace.tasks("tasks.jsonl", ["amber", "birch", "cedar", "dune"])
    ace.tasks("heldout.jsonl", ["amber", "birch"])
    shown = [shlex.split(command) for command in COMMANDS if command.startswith("ace ")]
    assert shown
    for _, *words in shown:
        ace(*words)


def test_the_request_shown_is_one() -> None:
    (body,) = [body for language, body in BLOCKS if language == "json" and '"task"' in body]
    assert ContextRequest.model_validate_json(body).k == 5


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
