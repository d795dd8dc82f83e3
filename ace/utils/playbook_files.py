"""Files and folders of playbooks: read strictly, written whole; what is not ours in them stays as it is."""

from __future__ import annotations

import hashlib
import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ace.core.carrying import between, skill
from ace.core.carrying.carried import Carried
from ace.core.carrying.forms import OF_JSON, read
from ace.errors import Conflict, InvalidInput
from ace.models.form import Read
from ace.models.playbook import Section
from ace.utils.files import disk_faults, write_atomic
from ace.utils.json_lines import STRICT, read_bytes

FRONT, REST = "SKILL.md", "references"


def read_playbook(path: Path, form: Read = Read.AUTO) -> tuple[list[Carried], str]:
    """What a file or a skill's folder carries, and an id that stands for its content.

    Raises InvalidInput naming what is wrong where.
    """
    files = _files(path, form)
    digest = hashlib.sha256(b"\0".join(files.values())).hexdigest()
    carried = _read_skill(path, files) if path.is_dir() else _read_file(path, form, files[""])
    return [one.out_of(path.absolute().name) for one in carried], f"import-{digest[:16]}"


def write_skill(folder: Path, files: Mapping[str, str]) -> None:
    """Put a skill there, SKILL.md last; lists of an earlier export that are no longer needed go.

    Raises Conflict where a skill or a folder is not of our making, StoreUnavailable.
    """
    with disk_faults(folder):
        if not _may_be_ours(folder):
            raise Conflict(f"{folder} holds something that `ace playbook export` did not write. Name a new folder.")
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sorted(files.items(), key=lambda one: one[0] == FRONT):
            (folder / name).parent.mkdir(exist_ok=True)
            write_atomic(folder / name, text)
        for name in {f"{REST}/{section.value}.md" for section in Section} - set(files):
            (folder / name).unlink(missing_ok=True)


def write_section(file: Path, domain_id: str, section: str) -> bool:
    """Put the section into a file that may be there, may be a link, and may hold more; True when that changed it.

    Raises InvalidInput where its markers are damaged, StoreUnavailable; then nothing was written.
    """
    target = file.resolve()
    with disk_faults(target):
        before = target.read_bytes() if target.exists() else b""
    try:
        after = between.put(before, domain_id, section)
    except InvalidInput as error:
        raise _in(file, error) from error
    if after != before:
        write_atomic(target, after)
    return after != before


def _may_be_ours(folder: Path) -> bool:
    """Is it not there, empty, or of an earlier export?"""
    if not folder.is_dir():
        return not folder.exists()
    front = folder / FRONT
    return not any(folder.iterdir()) or (front.is_file() and skill.is_ours(front.read_text("utf-8", "replace")))


def _files(path: Path, form: Read) -> dict[str, bytes]:
    """By their place in a folder; the one file by no name."""
    if not path.is_dir():
        return {"": read_bytes(path)}
    if form not in (Read.AUTO, Read.SKILL):
        raise InvalidInput(str(path), f"is a folder, and {form} is written in a file", "Name the file")
    found = {FRONT: read_bytes(path / FRONT)}
    return found | {f"{REST}/{one.name}": one.read_bytes() for one in sorted((path / REST).glob("*.md"))}


def _read_skill(path: Path, files: Mapping[str, bytes]) -> list[Carried]:
    texts = {name: _text(path / name, data) for name, data in files.items()}
    try:
        return skill.from_skill(texts)
    except InvalidInput as error:
        raise _in(path, error, "/") from error


def _read_file(file: Path, form: Read, data: bytes) -> list[Carried]:
    text = _text(file, data)
    is_json = text.lstrip().startswith(("{", "[{")) and (form is Read.AUTO or form in OF_JSON)
    try:
        return read(form, _json(text) if is_json else text)
    except InvalidInput as error:
        raise _in(file, error) from error


def _text(file: Path, data: bytes) -> str:
    try:
        return data.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(str(file), f"is not UTF-8 (byte {error.start + 1})", "Save it as UTF-8") from error


def _json(text: str) -> Any:
    try:
        return STRICT.decode(text.strip())
    except json.JSONDecodeError as error:
        raise InvalidInput(f"line {error.lineno}", f"is not valid JSON ({error.msg})", "Correct it") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput("JSON", f"is not valid: {error}", "Correct it") from error


def _in(path: Path, error: InvalidInput, between: str = ", ") -> InvalidInput:
    return InvalidInput(f"{path}{between}{error.field}", error.problem, error.remedy)
