"""The pages made from the code are those of the code, and events are named as events."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
CONTRACT = {"batch_merge_start", "batch_merge_complete"}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", REFERENCE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["reference"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load()


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_page_is_what_the_code_says(name: str) -> None:
    assert (REFERENCE / name).read_text() == reference.PAGES[name](), "run: python docs/reference/generate.py"


def test_the_guides_example_runs(tmp_path: Path) -> None:
    guide = (REFERENCE.parent / "guides" / "observability.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert 'ace_reflections_total{outcome="done"} 1.0' in done.stdout


def test_every_log_line_is_an_event_with_fields() -> None:
    wrong = [event for event in reference.events() if not re.fullmatch(r"[a-z][a-z0-9_]+", event.name or "")]
    assert not wrong, "write log.info('what_happened', extra={...})"


def test_the_events_of_the_runbook_are_logged() -> None:
    assert {event.name for event in reference.events()} >= CONTRACT
