"""The Reflector of the guide is one, and learns from a reported episode."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

from tests.docs.walk import python_blocks, run_python

PAGE = Path(__file__).parents[2] / "docs/guides/write-a-reflector.md"
REPORTED = """
from ace.bootstrap import App
from ace.utils.episode_report import EpisodeReport, to_episode

outcome = {"correct": False, "verifier": "environment", "detail": said}
for number in (1, 2):
    body = EpisodeReport.model_validate({"task": f"Create customer {number}", "outcome": outcome})
    App().episodes.report(to_episode(body, domain_id="crm", own=f"e{number}", receipt=None, principal=None, now=1.0))
"""
LOOK = """
import json
print(json.dumps([[one.content, one.stage, one.origin.episode_id] for one in app.store.get_all("crm")]))
"""


def test_the_guides_reflector_learns(tmp_path: Path, models_dir: Path) -> None:
    written, tried, working = python_blocks(PAGE)
    environment = {**os.environ, "ACE_MODELS_DIR": str(models_dir)}
    said = run_python("\n".join([written, tried, REPORTED, working, LOOK]), home=tmp_path, environment=environment)
    *lines, bullets = said.splitlines()
    assert lines == ["e1 done 1 added", "e2 done 0 added"]
    assert json.loads(bullets) == [["Call the field 'email', not 'mail'.", "shadow", "e1"]]


def test_the_example_of_the_python_page_runs(tmp_path: Path, models_dir: Path) -> None:
    page = (PAGE.parents[1] / "reference/python.rst").read_text()
    code = textwrap.dedent(page.split(".. code-block:: python\n")[1].split("\n.. autoclass")[0])
    assert run_python(code, home=tmp_path, environment={**os.environ, "ACE_MODELS_DIR": str(models_dir)}) == "\n"
