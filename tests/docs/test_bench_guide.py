"""Whatever the guide to benches tells a reader to type works, in the order shown; its tables are the code's."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ace.cli.bench import EPOCHS, WINDOW
from ace.models.bench import Setting
from ace.services.bench_methods import METHODS
from ace.testing.llm import ScriptedLLM, fill
from tests.docs.walk import bash_blocks, python_blocks
from tests.e2e.conftest import Ace, ace  # noqa: F401  fixture
from tests.e2e.tickets import FILE

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "bench.md"
SMALL = "--limit 1 --seeds 1 --epochs 1 --validation 0"
FINER = """You are XBRL expert.  Here is a list of US GAAP tags options: ,SharePrice,Goodwill. Answer.
1. What is best tag for entity "{0}" in sentence: "A price of {0} was paid.?"
Output US GAAP tags:
"""
FORMULA = """Use formula Ratio to answer the question. Answer with a number. Formula: Ratio = Assets / Debts, \
Explanation: both. Question: "Assets of {0}, debts of 1?". Answer:"""


@pytest.fixture
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM([fill()]) as server:
        yield server


def write_data(home: Path) -> None:
    (home / "tasks.jsonl").write_text(FILE.read_text())
    for name, prompt, target in (("finer", FINER, "SharePrice"), ("formula", FORMULA, "2.0")):
        folder = home / "finance" / "data" / name
        folder.mkdir(parents=True)
        for part, number in (("train", 2), ("test", 3)):
            line = json.dumps({"context": prompt.format(number), "target": target})
            (folder / f"{part}.jsonl").write_text(f"{line}\n")


def test_every_command_of_the_guide_works_in_the_order_shown(ace: Ace) -> None:  # noqa: F811
    write_data(ace.home)
    (program,) = python_blocks(PAGE)
    (ace.home / "my_bench.py").write_text(program)
    for command in [line for block in bash_blocks(PAGE) for line in block.splitlines()]:
        smaller = re.sub(r"(bench (?:tasks\.jsonl|finer formula).*)", rf"\1 {SMALL}", command)
        first, *words = shlex.split(smaller)
        if first == "ace":
            ace(*words)
            continue
        done = subprocess.run([sys.executable, *words], cwd=ace.home, env=ace.environment, capture_output=True,
                              text=True, timeout=240)  # fmt: skip
        assert "one-shot" in done.stdout, done.stderr
    table = next((ace.home / "data" / "runs").glob("bench-finer-formula-*")) / "table.md"
    assert table.read_text().startswith("| Method | GT labels | finer | formula | Average |")
    assert "| base | – | 100.0 | 0.0 | 50.0 |" in table.read_text(), "the first option is the right one"


def test_its_tables_are_the_codes() -> None:
    text = PAGE.read_text()
    named = set(re.findall(r"`([a-z-]+)`", " ".join(re.findall(r"^\| (`.*?) \|", text, re.M))))
    assert METHODS.keys() | {one.value for one in Setting} <= named
    assert f"({WINDOW:,};" in text
    assert f"`--epochs`, {EPOCHS} by default" in text
