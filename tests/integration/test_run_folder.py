"""A run's folder keeps what it acknowledged: after a kill, on a full disk, and against a second process."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.records import from_line, to_line
from ace.errors import AceError, Conflict, InvalidInput, NotFound, StoreUnavailable
from ace.models.insight import Delta, Insight
from ace.models.run import Answered, Lesson, PairRecord, StepRecord, Validation
from ace.models.task import Feedback, Trajectory, Usage
from ace.utils.files import write_atomic
from ace.utils.run_folder import RunFolder, RunReader

CONFIG = {"kind": "learn", "model": {"name": "local", "temperature": 0.0}, "seed": 7}

WRITER = """
import sys
from pathlib import Path
from ace.models.run import Validation
from ace.utils.run_folder import RunFolder

folder = RunFolder.open(Path(sys.argv[1]), {"kind": "learn"})
for number in range(1_000_000):
    folder.append("validations", Validation(epoch=number, position=0, correct=0, n=0))
    print(number, flush=True)
"""

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates, NUL and direction marks included
USAGE = st.builds(Usage, cost_usd=FINITE)
ARM = st.builds(Answered, answer=TEXT, usage=USAGE, latency_s=FINITE, error=st.none() | TEXT)
TRAJECTORY = st.builds(Trajectory, answer=TEXT, usage=USAGE, latency_s=FINITE)
DELTA = st.builds(Delta, insights=st.tuples(st.builds(Insight, content=TEXT, confidence=FINITE)))
RECORDS = {
    "steps": st.builds(StepRecord, question=TEXT, answer=TEXT, usage=USAGE, latency_s=FINITE),
    "pairs": st.builds(PairRecord, question=TEXT, without=ARM, with_playbook=ARM),
    "validations": st.builds(Validation),
    "lessons": st.builds(Lesson, trajectory=TRAJECTORY, feedback=st.builds(Feedback), delta=DELTA, usage=USAGE),
}


@dataclass(frozen=True, kw_only=True)
class Mixed:
    name: str
    score: float = 0.0
    nested: tuple[Usage, ...] = ()


def validation(epoch: int) -> Validation:
    return Validation(epoch=epoch, position=epoch, correct=1, n=2)


def lines(path: Path, kind: str = "validations") -> list[str]:
    return (path / f"{kind}.jsonl").read_text().splitlines()


@contextmanager
def disk_with_room_for(file_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes, as on a disk that fills up in the middle of a write."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("kind", RECORDS)
@given(data=st.data())
def test_every_record_comes_back_as_it_went(kind: str, data: st.DataObject) -> None:
    record = data.draw(RECORDS[kind])
    line = to_line(record)
    assert "\n" not in line
    assert from_line(line, type(record)) == record


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param('{"name": 3}', "Mixed.name should be str, not int", id="wrong-type"),
        pytest.param('{"name": "a", "score": true}', "Mixed.score should be float, not bool", id="bool-for-float"),
        pytest.param("{}", "name", id="missing-field"),
        pytest.param("[]", "Mixed should be dict, not list", id="no-object"),
        pytest.param('{"name": "a", "nested": [{}, 5]}', r"Mixed.nested\[1\] should be dict", id="deep-inside"),
    ],
)
def test_a_line_that_does_not_fit_is_named_by_its_field(line: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        from_line(line, Mixed)


def test_records_of_earlier_and_later_releases_can_be_read() -> None:
    """A field that is missing takes its default; a field nobody knows is passed over; an int is a float."""
    assert from_line('{"name": "a", "score": 2, "colour": "red"}', Mixed) == Mixed(name="a", score=2.0)


def test_a_run_is_there_again_when_it_is_opened_again(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path / "run", CONFIG) as folder:
        folder.append("validations", validation(1))
        folder.write_summary({"accuracy": 0.5})
        report = folder.write_report("<p>é</p>")
    with RunFolder.open(tmp_path / "run", CONFIG) as folder:
        folder.append("validations", validation(2))
        assert folder.read("validations", Validation) == [validation(1), validation(2)]
        assert folder.summary() == {"accuracy": 0.5}
    assert json.loads((tmp_path / "run" / "run.json").read_text()) == CONFIG
    assert report.read_text() == "<p>é</p>"


def test_reading_remembers_what_was_appended_since(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG) as folder:
        assert folder.read("validations", Validation) == []
        folder.append("validations", validation(1))
        assert folder.read("validations", Validation) == [validation(1)]
        assert folder.read("steps", StepRecord) == []


def test_a_run_can_be_read_while_another_process_drives_it(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG) as folder:
        folder.append("validations", validation(1))
        reader = RunReader(tmp_path)
        assert reader.read("validations", Validation) == [validation(1)]
        assert reader.config == CONFIG
        assert reader.summary() is None


@pytest.mark.parametrize(
    ("change", "field", "was", "now"),
    [
        pytest.param({"seed": 8}, "seed", "7", "8", id="value"),
        pytest.param({"model": {"name": "local", "temperature": 1.0}}, "model.temperature", "0.0", "1.0", id="nested"),
        pytest.param({"extra": 1}, "extra", "absent", "1", id="new-field"),
        pytest.param({"model": "local"}, "model", '{"name"', '"local"', id="other-shape"),
    ],
)
def test_a_run_cannot_go_on_with_another_config(
    tmp_path: Path, change: dict[str, Any], field: str, was: str, now: str
) -> None:
    RunFolder.open(tmp_path, CONFIG).close()
    with pytest.raises(Conflict) as caught:
        RunFolder.open(tmp_path, {**CONFIG, **change})
    message = str(caught.value)
    assert f"'{field}' was {was}" in message
    assert f"is {now}" in message
    assert "choose another run folder" in message
    RunFolder.open(tmp_path, CONFIG).close()  # the refusal let go of the lock


def test_a_second_process_is_told_who_drives_the_run(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(Conflict, match=rf"pid {writer.pid}\)"):
            RunFolder.open(tmp_path, {"kind": "learn"})
        writer.kill()
    RunFolder.open(tmp_path, {"kind": "learn"}).close()


def test_the_same_process_cannot_drive_a_run_twice(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG), pytest.raises(Conflict, match=str(os.getpid())):
        RunFolder.open(tmp_path, CONFIG)


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Five times over: the records said to be durable are there, in order, and at most one more."""
    total = 0
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
            writer.send_signal(signal.SIGKILL)
            acknowledged += [int(line) for line in writer.stdout if line.endswith(b"\n")]
        with RunFolder.open(tmp_path, {"kind": "learn"}) as folder:
            found = [record.epoch for record in folder.read("validations", Validation)][total:]
        assert found[: len(acknowledged)] == acknowledged
        assert len(found) - len(acknowledged) in (0, 1)
        total += len(found)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_torn_last_line_is_passed_over_and_then_cut_off(tmp_path: Path, cut: int) -> None:
    with RunFolder.open(tmp_path, CONFIG) as folder:
        for epoch in range(3):
            folder.append("validations", validation(epoch))
    file = tmp_path / "validations.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    assert RunReader(tmp_path).read("validations", Validation) == [validation(0), validation(1)]
    with RunFolder.open(tmp_path, CONFIG) as folder:
        folder.append("validations", validation(9))
        assert folder.read("validations", Validation) == [validation(0), validation(1), validation(9)]
    assert all(json.loads(line) for line in lines(tmp_path))


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG) as folder:
        folder.append("validations", validation(0))
    file = tmp_path / "validations.jsonl"
    file.write_text(file.read_text() + '{"epoch": "one"}\n')
    with pytest.raises(InvalidInput, match=r"validations\.jsonl, line 2: is damaged .*epoch should be int"):
        RunReader(tmp_path).read("validations", Validation)


@pytest.mark.parametrize("room", [4096, 4097, 4100, 4130])
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, room: int) -> None:
    """The append that does not fit is refused, the ones before it stay, and the run goes on once there is room."""
    with RunFolder.open(tmp_path, CONFIG) as folder:
        written = 0
        with disk_with_room_for(room), pytest.raises(StoreUnavailable, match="Free some space"):
            for epoch in range(1000):
                folder.append("validations", validation(epoch))
                written += 1
        assert (tmp_path / "validations.jsonl").read_bytes().endswith(b"}\n")
        assert len(lines(tmp_path)) == written
        folder.append("validations", validation(written))
        assert folder.read("validations", Validation) == [validation(epoch) for epoch in range(written + 1)]


def test_a_full_disk_leaves_the_old_summary_and_report(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG) as folder:
        folder.write_summary({"accuracy": 0.5})
        folder.write_report("old")
        with disk_with_room_for(100):
            with pytest.raises(StoreUnavailable):
                folder.write_summary({"text": "x" * 200})
            with pytest.raises(StoreUnavailable):
                folder.write_report("new" * 100)
        assert folder.summary() == {"accuracy": 0.5}
    assert (tmp_path / "report.html").read_text() == "old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "run.json", "run.lock", "summary.json"]


def test_a_full_disk_starts_no_run(tmp_path: Path) -> None:
    with disk_with_room_for(20), pytest.raises(StoreUnavailable):
        RunFolder.open(tmp_path / "run", CONFIG)
    with RunFolder.open(tmp_path / "run", CONFIG) as folder:
        assert folder.config == CONFIG


def test_threads_may_append_together(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG) as folder, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda epoch: folder.append("validations", validation(epoch)), range(200)))
    found = RunReader(tmp_path).read("validations", Validation)
    assert sorted(record.epoch for record in found) == list(range(200))


def test_config_may_hold_paths(tmp_path: Path) -> None:
    """What is no plain JSON is kept as its text, and is the same when asked for again."""
    RunFolder.open(tmp_path / "run", {"dataset": tmp_path}).close()
    with RunFolder.open(tmp_path / "run", {"dataset": tmp_path}) as folder:
        assert folder.config == {"dataset": str(tmp_path)}


def make_file(path: Path) -> None:
    path.write_text("a file")


def make_strange_folder(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").write_text("")


def make_damaged_config(path: Path) -> None:
    path.mkdir()
    (path / "run.json").write_text('{"seed":')


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        pytest.param(make_file, "is a file", id="file"),
        pytest.param(make_strange_folder, r"holds thesis\.tex and no run\.json", id="strange-folder"),
        pytest.param(make_damaged_config, "is damaged", id="damaged-config"),
    ],
)
def test_what_is_no_run_folder_is_left_alone(tmp_path: Path, make: Any, complaint: str) -> None:
    path = tmp_path / "place"
    make(path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(InvalidInput, match=complaint):
        RunFolder.open(path, CONFIG)
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and file.name != "run.lock"}
    assert after == before


def test_reading_where_no_run_is_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"has no run\.json"):
        RunReader(tmp_path)


@pytest.mark.parametrize("kind", ["", "../x", "a\n", "Steps", "a" * 60])
def test_a_kind_is_a_plain_word(tmp_path: Path, kind: str) -> None:
    with RunFolder.open(tmp_path, CONFIG) as folder, pytest.raises(AceError, match="kind"):
        folder.append(kind, validation(0))


def test_writing_whole_files_needs_their_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="No such file"):
        write_atomic(tmp_path / "nowhere" / "file.txt", "text")
