"""Views on the disk: `<sha256 of the domain>.<stage>.faiss` and the manifest `<sha256 of the domain>.json`.

The manifest vouches for every file (see checked_files) and says what they are: domain, embedding model, position and
head hash of the journal, and the bullet ids of each shelf. A view that is unsound, or of another model, is Unsound.
Whether its journal is still the database's is for the reader to ask.

`<sha256 of the domain>.unload` is touched to ask every process to give up the view it holds in memory.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from ace.models.journal import Position
from ace.models.playbook import PlaybookStage
from ace.system import private
from ace.utils.checked_files import Unsound, discard, keep, vouched
from ace.utils.faiss_shelf import Shelf
from ace.utils.faiss_view import View
from ace.utils.files import disk_faults

FORMAT = 1
ABANDONED_S = 3600.0  # a temporary file this old has no writer any more

_OWNED = re.compile(r"\.?([0-9a-f]{64})\.")


def save(view: View, folder: Path, domain_id: str, model: str) -> None:
    """Put the view on the disk. Raises StoreUnavailable."""
    for shelf in view.shelves.values():
        shelf.sweep()
    shelves = {stage: shelf for stage, shelf in view.shelves.items() if len(shelf)}
    facts = {
        "format": FORMAT,
        "domain": domain_id,
        "model": model,
        "position": view.position.seq,
        "head": view.position.hash,
        "ids": {stage.value: shelf.ids for stage, shelf in shelves.items()},
    }
    keep(folder, _name(domain_id), {_suffix(stage): shelf.write for stage, shelf in shelves.items()}, facts)
    view.changes = 0


def load(folder: Path, domain_id: str, model: str) -> View:
    """The view as it was saved. Raises Unsound."""
    name = _name(domain_id)
    with vouched(folder, name) as facts:
        for what, wanted in (("format", FORMAT), ("domain", domain_id), ("model", model)):
            if facts[what] != wanted:
                raise Unsound(f"{name}.json is of {what} '{facts[what]}', not '{wanted}'")
        shelves = {PlaybookStage(stage): _shelf(folder, name, stage, ids) for stage, ids in facts["ids"].items()}
    return View(Position(seq=facts["position"], hash=facts["head"]), shelves)


def remove(folder: Path, domain_id: str) -> None:
    """Forget the domain's files. Raises StoreUnavailable."""
    discard(folder, _name(domain_id), tuple(_suffix(stage) for stage in PlaybookStage))


def size(folder: Path, domain_id: str) -> int:
    """How many bytes the domain's files take."""
    return total(files_of(folder, domain_id))


def total(files: Iterable[Path]) -> int:
    """How many bytes these files take."""
    return sum(_bytes(file) for file in files)


def files_of(folder: Path, domain_id: str) -> list[Path]:
    """Every file of the domain, its lock too."""
    name = _name(domain_id)
    return sorted([*folder.glob(f"{name}.*"), *folder.glob(f".{name}.*")])


def strangers(folder: Path, known: Collection[str], *, now: float) -> list[Path]:
    """The files of domains other than `known`, and what writers that were killed left half written."""
    names = {_name(domain_id) for domain_id in known}
    return sorted(file for file in folder.glob("*") if _is_strange(file, names, now)) if folder.is_dir() else []


def ask_to_unload(folder: Path, domain_id: str) -> None:
    """Ask every process to give up its view of the domain, within a second of its next search. StoreUnavailable."""
    with disk_faults(folder):
        private.make_folder(folder)
        with open(folder / f"{_name(domain_id)}.unload", "w", opener=private.opener) as file:
            file.write(str(time.time_ns()))


def asked_to_unload(folder: Path, domain_id: str) -> str:
    """What changes with each `ask_to_unload`."""
    try:
        return (folder / f"{_name(domain_id)}.unload").read_text()
    except OSError:
        return ""


def _is_strange(file: Path, names: Collection[str], now: float) -> bool:
    if file.name.endswith(".tmp"):
        return file.is_file() and now - file.stat().st_mtime > ABANDONED_S
    owner = _OWNED.match(file.name)
    return owner is not None and owner[1] not in names


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # replaced meanwhile
        return 0


def _shelf(folder: Path, name: str, stage: str, ids: list[str]) -> Shelf:
    file = folder / f"{name}.{_suffix(PlaybookStage(stage))}"
    try:
        return Shelf.read(file, ids)
    except (RuntimeError, ValueError) as error:  # written by a FAISS whose files this one does not read
        raise Unsound(f"{file.name} cannot be read: {error}") from error


def _name(domain_id: str) -> str:
    return hashlib.sha256(domain_id.encode()).hexdigest()


def _suffix(stage: PlaybookStage) -> str:
    return f"{stage.value}.faiss"
