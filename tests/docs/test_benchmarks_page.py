"""The benchmarks page names scripts that exist, all of them, and the commands it shows can be typed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from typing import TypeVar

from ace.core.bench_table import rows
from ace.core.records import from_line
from ace.models.bench import BenchTable, Outcome, Spending
from ace.services.bench_methods import METHODS
from ace.utils import bench_tables

Record = TypeVar("Record")
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


def kept(name: str, record: type[Record]) -> list[Record]:
    return [from_line(line, record) for line in (ROOT / "benchmarks" / "data" / name).read_text().splitlines()]


def test_the_tables_of_methods_are_those_of_the_kept_answers() -> None:
    outcomes, spendings = kept("bench_outcomes.jsonl", Outcome), kept("bench_spendings.jsonl", Spending)
    datasets = tuple(dict.fromkeys(one.dataset for one in outcomes))
    found = rows(outcomes, spendings, list(METHODS))
    tasks = {name: len({one.task_id for one in outcomes if one.dataset == name}) for name in datasets}
    table = BenchTable(datasets=datasets, rows=found, tasks=tasks, metrics=dict.fromkeys(datasets, ""))
    for part in (bench_tables.paper_lines, bench_tables.interval_lines, bench_tables.cost_lines):
        missing = [line for line in part(table) if f"| {' | '.join(line)} |" not in PAGE]
        assert not missing
