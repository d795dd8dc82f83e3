"""Checked files are what their manifest says, all of them, or they count as absent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ace.errors import StoreUnavailable
from ace.utils.checked_files import Unsound, discard, keep, vouched


def writer(text: str) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_text(text)

    return write


def put(folder: Path, text: str) -> None:
    keep(folder, "it", {"one": writer(text), "two": writer(text * 2)}, {"text": text})


def got(folder: Path) -> str | None:
    """The text all parts agree on; None when they count as absent."""
    try:
        with vouched(folder, "it") as facts:
            text = str(facts["text"])
            assert [(folder / f"it.{part}").read_text() for part in ("one", "two")] == [text, text * 2]
            return text
    except Unsound:
        return None


def test_what_is_kept_is_vouched_for_and_replaced_as_a_whole(tmp_path: Path) -> None:
    put(tmp_path, "first")
    put(tmp_path, "second")

    assert got(tmp_path) == "second"


@pytest.mark.parametrize(("shared", "modes"), [(False, {0o700, 0o600}), (True, {0o755, 0o644})])
def test_they_are_for_one_user_alone_unless_they_are_shared(tmp_path: Path, shared: bool, modes: set[int]) -> None:
    """Model files are made by whoever builds an image, and read by another user."""
    before = os.umask(0o022)
    try:
        keep(tmp_path / "new", "it", {"one": writer("text")}, {}, shared=shared)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new", *(tmp_path / "new").iterdir())} == modes


def test_nothing_is_vouched_for_where_nothing_was_kept(tmp_path: Path) -> None:
    assert got(tmp_path) is None
    assert got(tmp_path / "no folder") is None


def test_what_is_discarded_counts_as_absent(tmp_path: Path) -> None:
    put(tmp_path, "first")
    discard(tmp_path, "it", ("one", "two"))

    assert got(tmp_path) is None
    assert not list(tmp_path.glob("it.*"))


class Stop(BaseException):
    """Not an error anybody catches."""


@pytest.mark.parametrize("stopping", ["one", "two"])
def test_a_writer_stopped_half_way_leaves_the_old_or_nothing(tmp_path: Path, stopping: str) -> None:
    put(tmp_path, "first")

    def stop(file: Path) -> None:
        file.write_text("half")
        raise Stop

    files: dict[str, Any] = {"one": writer("second"), "two": writer("secondsecond")} | {stopping: stop}
    with pytest.raises(Stop):
        keep(tmp_path, "it", files, {"text": "second"})

    assert got(tmp_path) == ("first" if stopping == "one" else None)
    assert not list(tmp_path.glob(".*.tmp"))


def test_every_byte_of_the_manifest_is_checked(tmp_path: Path) -> None:
    put(tmp_path, "first")
    manifest = tmp_path / "it.json"
    sound = manifest.read_bytes()
    for place in range(len(sound)):
        manifest.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        assert got(tmp_path) in (None, "first")  # a flipped blank changes nothing


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"null", b'{"body": 3, "sha256": "x"}', b"\xff\xfe"])
def test_a_manifest_that_is_none_is_unsound(tmp_path: Path, text: bytes) -> None:
    put(tmp_path, "first")
    (tmp_path / "it.json").write_bytes(text)

    assert got(tmp_path) is None


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("not a folder")

    with pytest.raises(StoreUnavailable, match="folder"):
        put(tmp_path / "folder", "first")


LOOP = """
import sys
from pathlib import Path
from tests.integration.test_checked_files import put
for number in range(1_000_000):
    put(Path(sys.argv[1]), str(number))
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_one_whole_state_or_nothing(tmp_path: Path) -> None:
    for tried in range(4):
        process = subprocess.Popen([sys.executable, "-c", LOOP, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.003 * tried)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert (got(tmp_path) or "0").isdigit()
        put(tmp_path, "after")
        assert got(tmp_path) == "after"
