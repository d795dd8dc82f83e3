"""What backups ask of the outside.

BackupPlace       where backups lie: a folder, a bucket       utils/object_store    MemoryPlace
BackupFiles       the file a backup is                        utils/backup_files
Tables            every row of a database, out and in         repositories/dump
Replayer          the rows a journal adds up to               repositories/replayed
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ace.core.ports import Vectors
from ace.models.backup import Header, Page, Replayed, Stored, Summary, Values


class BackupPlace(Protocol):
    """Raises StoreUnavailable when the disk or the server refuses; then no name stands for half a file."""

    def put(self, name: str, file: Path) -> None:
        """Keep a copy of the file under this name: whole, or not at all."""
        ...

    def fetch(self, name: str, scratch: Path) -> Path:
        """A file with what is kept under this name, in the folder `scratch` if it had to be copied. Raises NotFound."""
        ...

    def listed(self) -> list[Stored]:
        """The backups here, oldest first; other files are passed over."""
        ...

    def delete(self, name: str) -> None: ...

    def url(self, name: str) -> str:
        """The name as a user writes it."""
        ...


class BackupReading(Protocol):
    header: Header
    sha256: str
    size: int
    summary: Summary | None  # known once the pages have been read to the end

    def pages(self) -> Iterator[Page]:
        """The rows, once. Raises InvalidInput when they are not as many as the file says."""
        ...


class BackupFiles(Protocol):
    def write(self, file: Path, header: Header, pages: Iterable[Page]) -> str:
        """Make a backup of these rows, sealed and flushed to disk; the sha256 in its seal."""
        ...

    def reading(self, file: Path) -> AbstractContextManager[BackupReading]:
        """The backup, once every byte of it is known to be as it was written. Raises InvalidInput, NotFound."""
        ...


class TablesAtOneMoment(Protocol):
    revision: str
    tables: dict[str, tuple[str, ...]]  # with their columns, those before that others refer to

    @property
    def rows(self) -> int:
        """How many there are in all."""
        ...

    def pages(self) -> Iterator[Page]:
        """Every row of the tables, in bounded memory."""
        ...


class Refilling(Protocol):
    def write(self, page: Page) -> None:
        """Insert these rows."""
        ...

    def pages(self) -> Iterator[Page]:
        """What the tables hold now, as far as this transaction sees."""
        ...


class Tables(Protocol):
    place: str

    def reading(self, *, secrets: bool = True) -> AbstractContextManager[TablesAtOneMoment]:
        """Every row as of one moment, while others go on writing. Without secrets: no API keys, no server secrets."""
        ...

    def prepare(self, header: Header, *, replace: bool) -> None:
        """Bring an empty database to the backup's schema. Raises InvalidInput for one that holds data, unless
        `replace`; SchemaMismatch for one at another schema."""
        ...

    def refilling(self, header: Header) -> AbstractContextManager[Refilling]:
        """One transaction, in which the backup's tables are empty; it commits at the end, or leaves no trace."""
        ...

    def finish(self) -> str:
        """Bring the schema to this release's; its revision."""
        ...


class Replayer(Protocol):
    def check(self, header: Header) -> None:
        """Raises SchemaMismatch for a backup with a table or a column that this release does not know."""
        ...

    def vectors(self, page: Page) -> list[tuple[str, str, Vectors]]:
        """Domain, bullet and float32[d] of each row of a page of vectors."""
        ...

    def replay(self, header: Header, domain_id: str, rows: Sequence[Values]) -> Replayed:
        """What these rows of a domain's journal add up to. Raises InvalidInput for a broken chain."""
        ...
