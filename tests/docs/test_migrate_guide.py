"""Whatever the guide to migrating tells a reader to type works, in the order shown; what it says is carried over is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.docs.walk import bash_blocks, python_blocks, run_python
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures

PAGE = Path(__file__).parents[2] / "docs/guides/migrate.md"
(PAPER,) = re.findall(r"^```text\n(.*?)^```", PAGE.read_text(), re.M | re.S)
(SKILLBOOK,) = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.M | re.S)
MEM0 = Path(__file__).parents[1] / "unit/core/carrying/foreign/mem0-2.2.1.json"
STAND_IN = f"""
class Memory:  # in the place of mem0, which wants a model and a vector store: what it really answered once
    def get_all(self, *, filters, top_k):
        import json, pathlib
        return json.loads(pathlib.Path({str(MEM0)!r}).read_text())
"""


def run(ace: Ace, block: str) -> str:  # noqa: F811
    return "".join(ace(*shlex.split(line)[1:]).stdout for line in block.splitlines())


def test_the_guide_does_what_it_says(ace: Ace) -> None:  # noqa: F811
    paper, theirs, memories, measured, purged = bash_blocks(PAGE)
    (ace.home / "playbook.txt").write_text(PAPER)
    (ace.home / "skillbook.json").write_text(SKILLBOOK)
    (ace.home / "mem0.py").write_text(STAND_IN)
    ace.tasks("heldout.jsonl", ["amber"])
    assert "Check whether a charge" in run(ace, paper)
    run(ace, theirs)
    run_python(python_blocks(PAGE)[0], home=ace.home, environment=ace.environment)
    assert "2 bullets in memories.json: 0 added, 2 known" in run(ace, memories)
    assert kept(ace) == {
        ("strategy", "shadow", 0, "import", "Check whether a charge is only pending before you call it a duplicate."),
        ("mistake", "shadow", 0, "import", "A refund does not close the ticket by itself."),
        ("strategy", "shadow", 0, "import", "Lists come a page at a time: Page through the list with `cursor`."),
    }
    run(ace, measured)
    run(ace, purged)
    assert {stage for _, stage, *_ in kept(ace)} == {"quarantined"}


def kept(ace: Ace) -> set[tuple[str, str, int, str, str]]:  # noqa: F811
    shown = ace.json("playbook", "show", "--domain", "support")
    return {(one["section"], one["stage"], one["helpful_count"], one["origin"]["source"], one["content"])
            for one in shown}  # fmt: skip
