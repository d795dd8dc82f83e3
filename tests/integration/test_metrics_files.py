"""Numbers of many processes in one directory: real processes, ended by SIGKILL wherever they happen to be."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ace.errors import StoreUnavailable
from ace.utils import metrics, metrics_files
from ace.utils.metrics_files import Sheet, sweep, totals

ADDED = metrics.key("bullets_added_total", "")
LIVING = metrics.key("ace_processes", "")
LATEST = metrics.key("ace_stage_manager_last_run_timestamp_seconds", "")

COUNTING = """
import sys, time
from pathlib import Path
from ace.utils import metrics
from ace.utils.metrics_files import Sheet
sheet = Sheet(Path(sys.argv[1]))
sheet.put(metrics.key("ace_processes", ""), 1.0)
for _ in range(int(sys.argv[2])):
    sheet.add(metrics.key("bullets_added_total", ""), 1.0)
print("ready", flush=True)
if sys.argv[3] == "stay":
    sys.stdin.read()
"""
SWEEPING = """
import sys
from pathlib import Path
from ace.utils import metrics, metrics_files
print("ready", flush=True)
sys.stdin.readline()
metrics_files.sweep(Path(sys.argv[1]), metrics.rule)
"""


def start(source: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process that has said it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.communicate()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "metrics"
    made.mkdir()
    yield made


def numbers(directory: Path) -> dict[str, float]:
    return totals(directory, metrics.rule)


def test_all_processes_are_summed_and_the_killed_keep_what_they_counted(directory: Path) -> None:
    processes = [start(COUNTING, directory, 100, "stay") for _ in range(3)]
    assert numbers(directory) == {ADDED: 300, LIVING: 3}
    end(processes[0])
    assert numbers(directory) == {ADDED: 300, LIVING: 2}, "its gauges are gone before anybody has swept"
    assert sweep(directory, metrics.rule) == 1
    assert numbers(directory) == {ADDED: 300, LIVING: 2}
    end(processes[1])
    end(processes[2])
    assert sweep(directory, metrics.rule) == 2
    assert numbers(directory) == {ADDED: 300}


def test_one_shot_processes_leave_no_files_behind(directory: Path) -> None:
    for _ in range(4):
        start(COUNTING, directory, 5, "leave").communicate()
        sweep(directory, metrics.rule)
    assert sorted(file.name for file in directory.iterdir()) == ["gone.json", "sweep.lock"]
    assert numbers(directory) == {ADDED: 20}


def test_a_sweeper_killed_anywhere_neither_loses_nor_doubles(directory: Path) -> None:
    drawn = random.Random(7)
    counted = 0
    for _ in range(12):
        start(COUNTING, directory, 10, "leave").communicate()
        counted += 10
        sweeper = start(SWEEPING, directory)
        assert sweeper.stdin is not None
        sweeper.stdin.write("\n")
        sweeper.stdin.flush()
        time.sleep(drawn.uniform(0, 0.01))
        end(sweeper)
        assert numbers(directory) == {ADDED: counted}
    sweep(directory, metrics.rule)
    assert numbers(directory) == {ADDED: counted}


@pytest.mark.parametrize("removed", ["nothing", "the counts", "the lock"])
def test_what_a_killed_sweeper_left_is_not_counted_again(directory: Path, removed: str) -> None:
    start(COUNTING, directory, 10, "leave").communicate()
    (counts,), (alive,) = list(directory.glob("*.counts")), list(directory.glob("*.alive"))
    saved = {counts: counts.read_bytes(), alive: alive.read_bytes()}
    sweep(directory, metrics.rule)
    gone = {"nothing": None, "the counts": counts, "the lock": alive}[removed]
    for file, content in saved.items():
        if file != gone:
            file.write_bytes(content)
    assert numbers(directory) == {ADDED: 10}
    sweep(directory, metrics.rule)
    assert numbers(directory) == {ADDED: 10}
    assert not [*directory.glob("*.counts"), *directory.glob("*.alive")]


def test_counters_never_fall_while_processes_come_and_die_and_others_sweep(directory: Path) -> None:
    seen = 0.0
    for round_ in range(8):
        sweepers = [start(SWEEPING, directory) for _ in range(2)]
        counting = start(COUNTING, directory, 50, "stay")
        for sweeper in sweepers:
            assert sweeper.stdin is not None
            sweeper.stdin.write("\n")
            sweeper.stdin.flush()
        end(counting)
        while any(sweeper.poll() is None for sweeper in sweepers):
            now = numbers(directory).get(ADDED, 0.0)
            assert now >= seen
            seen = now
        for sweeper in sweepers:
            sweeper.communicate()
        assert numbers(directory)[ADDED] == 50 * (round_ + 1)


def test_a_forked_child_counts_in_a_file_of_its_own(directory: Path) -> None:
    sheet = Sheet(directory)
    sheet.add(ADDED, 1.0)
    child = os.fork()
    if child == 0:
        sheet.add(ADDED, 10.0)
        os._exit(0)
    os.waitpid(child, 0)
    sheet.add(ADDED, 100.0)
    assert numbers(directory) == {ADDED: 111}
    assert sweep(directory, metrics.rule) == 1, "the child; this process is alive"
    assert numbers(directory) == {ADDED: 111}


def test_the_greatest_is_kept_of_what_is_latest(directory: Path) -> None:
    sheet = Sheet(directory)
    sheet.put(LATEST, 200.0)
    (directory / "gone.json").write_text(json.dumps({"ids": [], "numbers": {LATEST: 100.0}}))
    assert numbers(directory) == {LATEST: 200}


@pytest.mark.parametrize(
    "content",
    [pytest.param(b"", id="killed before it had a length"), pytest.param(b"\xff" * 64, id="damaged")],
)
def test_a_file_that_cannot_be_read_counts_nothing_and_stops_nobody(directory: Path, content: bytes) -> None:
    (directory / "1-00000000.counts").write_bytes(content)
    start(COUNTING, directory, 5, "leave").communicate()
    assert numbers(directory) == {ADDED: 5}
    assert sweep(directory, metrics.rule) == 2


def test_a_damaged_sum_is_set_aside(directory: Path) -> None:
    (directory / "gone.json").write_text('{"ids": [')
    start(COUNTING, directory, 5, "leave").communicate()
    sweep(directory, metrics.rule)
    assert numbers(directory) == {ADDED: 5}
    assert (directory / "gone.damaged").read_text() == '{"ids": ['


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="file/metrics"):
        metrics.enable(tmp_path / "file")
    metrics.disable()


def test_room_is_reserved_before_counting(directory: Path) -> None:
    Sheet(directory)
    (file,) = directory.glob("*.counts")
    assert file.stat().st_blocks * 512 >= metrics_files.ROOM
