"""The benchmarks page names scripts that exist, all of them, and the commands it shows can be typed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/benchmarks.md").read_text()
NAMED = set(re.findall(r"benchmarks\.(\w+)", PAGE))
USUAL = set(re.findall(r'"(\w+)"', (ROOT / "benchmarks/__main__.py").read_text().split("SCRIPTS = ")[1].split("\n")[0]))
PARTS = {"__init__", "__main__", "corpus", "load", "postgres", "world"}


def test_every_script_is_on_the_page_and_no_other() -> None:
    assert {file.stem for file in (ROOT / "benchmarks").glob("*.py")} - PARTS == NAMED
    assert all(importlib.util.find_spec(f"benchmarks.{name}") for name in NAMED)
    assert USUAL <= NAMED
    assert USUAL


def test_make_bench_is_a_target() -> None:
    subprocess.run(["make", "-n", "bench"], cwd=ROOT, check=True, capture_output=True)
