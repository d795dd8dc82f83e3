"""Views on the disk: `<sha256 of the domain>.<stage>.faiss` and the manifest `<sha256 of the domain>.json`.

The manifest vouches for every file (see checked_files) and says what they are: domain, embedding model, position and
head hash of the journal, and the bullet ids of each shelf. A view that is unsound, or of another model, is Unsound.
Whether its journal is still the database's is for the reader to ask.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ace.models.journal import Position
from ace.models.playbook import PlaybookStage
from ace.utils.checked_files import Unsound, discard, keep, vouched
from ace.utils.faiss_shelf import Shelf
from ace.utils.faiss_view import View

FORMAT = 1


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
