"""A domain's vectors as of one position of its journal: a shelf for each stage, and the bullets looked at last.

    journal entry                     what the view does
    add                               the vector is put on the shelf of its stage
    promote, quarantine, restore      it moves to another shelf; a bullet kept here changes with it
    increment                         a bullet kept here changes its counters
    relate                            nothing
    rollback                          Diverged: the past has changed, the view must be made anew

A filter by stage is a choice of shelves, so fifty PROD bullets among a hundred thousand SHADOW ones are found for sure.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from ace.core.ports import Vectors
from ace.core.queries import check_length
from ace.core.replay import counted, staged
from ace.errors import NotFound
from ace.models.journal import Entry, Position
from ace.models.plan import (
    Add,
    Archive,
    Increment,
    Promote,
    Quarantine,
    Restage,
    Restore,
    Rollback,
    operation_from_json,
)
from ace.models.playbook import Bullet, PlaybookStage
from ace.utils.faiss_shelf import Scored, Shelf

BULLETS_KEPT = 8192
VIEW_BYTES, BULLET_BYTES = 4096, 1500  # in memory, roughly


class Diverged(Exception):
    """The view cannot be carried forward along this journal; the text says why."""


class VectorsById(Protocol):
    def __call__(self, ids: Sequence[str]) -> Vectors:
        """`float32[len(ids), d]`; raises NotFound for an id without a vector."""
        ...


class View:
    """One domain at `position`. Not safe for threads by itself."""

    def __init__(self, position: Position, shelves: Mapping[PlaybookStage, Shelf] | None = None) -> None:
        self.position = position
        self.shelves = dict(shelves or {})
        self.changes = 0  # entries since the view was last on the disk
        self._bullets: OrderedDict[str, Bullet] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(shelf) for shelf in self.shelves.values())

    @property
    def nbytes(self) -> int:
        shelves = sum(shelf.nbytes for shelf in self.shelves.values())
        return VIEW_BYTES + shelves + BULLET_BYTES * len(self._bullets)

    def put(self, ids: Sequence[str], stages: Sequence[PlaybookStage], vectors: Vectors) -> None:
        """Put each vector of float32[len(ids), d] on the shelf of its stage."""
        for stage in dict.fromkeys(stages):
            rows = [row for row, own in enumerate(stages) if own == stage]
            shelf = self.shelves.setdefault(stage, Shelf(vectors.shape[1]))
            shelf.add([ids[row] for row in rows], vectors[rows])

    def nearest(self, vectors: Vectors, k: int, stages: Collection[PlaybookStage] | None) -> list[Scored]:
        """For each row the `k` nearest ids with their similarity, best first, equals by id."""
        chosen = [shelf for stage, shelf in self.shelves.items() if len(shelf) and (stages is None or stage in stages)]
        for shelf in chosen:
            check_length(vectors, shelf.dimensions)
        found = [shelf.nearest(vectors, k) for shelf in chosen]
        merged = (itertools.chain(*(rows[number] for rows in found)) for number in range(len(vectors)))
        return [sorted(hits, key=_best_first)[:k] for hits in merged]

    def follow(self, entries: Sequence[Entry], vectors: VectorsById) -> None:
        """Carry the view on along the journal. Raises Diverged; the view is then to be thrown away."""
        operations = [operation_from_json(entry.kind, entry.body) for entry in entries]
        position = self._end_of(entries)
        for operation in operations:
            if isinstance(operation, Rollback):
                raise Diverged(f"the playbook was rolled back to position {operation.to}")
        self._add([operation.bullet for operation in operations if isinstance(operation, Add)], vectors)
        for operation in operations:
            match operation:
                case Promote() | Quarantine() | Archive() | Restore():
                    self._restage(operation)
                case Increment(bullet_id=own) if own in self._bullets:
                    self._bullets[own] = counted(self._bullets[own], operation)
        self.position = position
        self.changes += len(entries)

    def kept(self, ids: Iterable[str]) -> dict[str, Bullet]:
        """Those of these bullets that are at hand, as of `position`."""
        found = {own: self._bullets[own] for own in ids if own in self._bullets}
        for own in found:
            self._bullets.move_to_end(own)
        return found

    def keep(self, bullets: Iterable[Bullet]) -> None:
        """Have these at hand, which are as of `position`; the ones not looked at for longest make room."""
        self._bullets.update({bullet.id: bullet for bullet in bullets})
        while len(self._bullets) > BULLETS_KEPT:
            self._bullets.popitem(last=False)

    def _end_of(self, entries: Sequence[Entry]) -> Position:
        """Where the journal stands after these entries, each of which must follow from the one before."""
        position = self.position
        for entry in entries:
            if (entry.seq, entry.previous) != (position.seq + 1, position.hash):
                raise Diverged(f"entry {entry.seq} of the journal does not follow position {position.seq}")
            position = Position(seq=entry.seq, hash=entry.hash)
        return position

    def _add(self, bullets: Sequence[Bullet], vectors: VectorsById) -> None:
        if not bullets:
            return
        ids = [bullet.id for bullet in bullets]
        try:
            self.put(ids, [bullet.stage for bullet in bullets], vectors(ids))
        except NotFound as error:  # added and, by the time we read, rolled back again
            raise Diverged(str(error)) from error

    def _restage(self, operation: Restage) -> None:
        own = operation.bullet_id
        shelf = next((shelf for shelf in self.shelves.values() if own in shelf), None)
        if shelf is None:
            raise Diverged(f"{own} changes its stage, but is not here")
        self.put([own], [_stage_after(operation)], shelf.take(own)[None])
        if own in self._bullets:
            self._bullets[own] = staged(self._bullets[own], operation)


def _stage_after(operation: Restage) -> PlaybookStage:
    match operation:
        case Promote(to=to):
            return to
        case Quarantine():
            return PlaybookStage.QUARANTINED
        case Archive():
            return PlaybookStage.ARCHIVED
        case Restore():
            return PlaybookStage.SHADOW


def _best_first(hit: tuple[str, float]) -> tuple[float, str]:
    return -hit[1], hit[0]
