"""What the inside asks of the outside. Each port has an adapter in a room above and a fake in `ace.testing`.

Embedder          text -> unit vectors                        utils/embeddings      HashEmbedder
SecondLook        are these two bullets the same advice?      utils/nli             RuleSecondLook
PlaybookStore     the bullets and their journal               repositories          InMemoryPlaybook
VectorIndex       the bullets nearest to a vector             utils/faiss_index     ExactIndex
Predict           one protected call of a language model      utils/llm_circuit_breaker
Clock             what time it is                             SystemClock           FrozenClock
BackupPlace       where backups lie: a folder, a bucket       utils/object_store    MemoryPlace
BackupFiles       the file a backup is                        utils/backup_files
Tables            every row of a database, out and in         repositories/dump
Replayer          the rows a journal adds up to               repositories/replayed
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ace.core.similarity import Relation
from ace.models.backup import Header, Page, Replayed, Stored, Summary, Values
from ace.models.insight import Delta
from ace.models.journal import Entry, Position
from ace.models.plan import Operation
from ace.models.playbook import Bullet, Context, Link, PlaybookStage
from ace.models.task import Feedback, Task, Trajectory, Usage

Vectors = npt.NDArray[np.float32]
Record = TypeVar("Record")


class Clock(Protocol):
    def now(self) -> datetime:
        """The time in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        ...


class Embedder(Protocol):
    name: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """`float32[len(texts), dimensions]`, each row of length 1. Raises Outage, MissingModelFiles."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two texts and their cosine, to be looked at a second time."""

    left: str
    right: str
    cosine: float


class SecondLook(Protocol):
    def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
        """One relation per pair, in order."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A bullet and its cosine to the vector searched for."""

    bullet: Bullet
    similarity: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbourhood:
    """For each vector its nearest bullets, best first, as of `position`."""

    position: int
    hits: tuple[tuple[Hit, ...], ...]


class VectorIndex(Protocol):
    def nearest(
        self, domain_id: str, vectors: Vectors, *, k: int, stages: Collection[PlaybookStage] | None = None
    ) -> Neighbourhood:
        """The `k` nearest bullets of each row of `vectors` (float32[n, d]), as of the journal's head.

        `stages` limits them; None means every stage, quarantined ones too.
        """
        ...


class Transaction(Protocol):
    """A domain held by this writer alone. What it did is durable when the context closes without an error."""

    head: Position

    def voted(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these (bullet_id, episode_id) have been counted already."""
        ...

    def present(self, ids: Collection[str]) -> dict[str, Bullet]:
        """The bullets of these ids that this domain has."""
        ...

    def recall(self, key: str, request_hash: str) -> dict[str, Any] | None:
        """The answer stored under an idempotency key; raises Conflict when the request was another."""
        ...

    def remember(self, key: str, request_hash: str, answer: Mapping[str, Any]) -> None:
        """Keep an answer under an idempotency key."""
        ...

    def apply(self, operations: Sequence[Operation], *, vectors: Mapping[str, Vectors], now: datetime) -> list[Entry]:
        """Carry out and journal the operations in order. `vectors` maps each added bullet's id to float32[d]."""
        ...


class PlaybookStore(Protocol):
    def domains(self) -> list[str]:
        """Every domain that has a journal, sorted."""
        ...

    def head(self, domain_id: str) -> Position:
        """The journal's head; position 0 for a domain nobody wrote to."""
        ...

    def get(self, domain_id: str, bullet_id: str) -> Bullet | None: ...

    def get_many(self, domain_id: str, ids: Sequence[str]) -> list[Bullet]:
        """The bullets of these ids that exist, in the order asked for."""
        ...

    def get_all(self, domain_id: str, *, stage: PlaybookStage | None = None) -> list[Bullet]:
        """Every bullet, oldest first."""
        ...

    def count_by_stage(self, domain_id: str) -> dict[PlaybookStage, int]:
        """How many bullets each stage holds (every stage is a key)."""
        ...

    def links(self, domain_id: str) -> set[Link]:
        """The known contradictions."""
        ...

    def vectors(self, domain_id: str, ids: Sequence[str]) -> Vectors:
        """The stored vectors of these bullets, `float32[len(ids), d]`."""
        ...

    def entries(self, domain_id: str, *, after: int = 0, limit: int | None = None) -> list[Entry]:
        """The journal's entries with `seq > after`, in order."""
        ...

    def transaction(self, domain_id: str) -> AbstractContextManager[Transaction]:
        """Hold the domain for writing; commits at the end, or leaves no trace when an error passes through."""
        ...


class Generator(Protocol):
    def generate(self, task: Task, context: Context, *, episode_id: str) -> Trajectory:
        """Do the task with these bullets. The model's failure is in `Trajectory.error`; an Outage is raised."""
        ...


class Reflector(Protocol):
    def reflect(self, task: Task, trajectory: Trajectory, feedback: Feedback, bullets: Sequence[Bullet]) -> Delta:
        """What the episode teaches, and its votes on the bullets cited. The model's failure teaches nothing."""
        ...


class Tally(Protocol):
    usage: Usage


class Meter(Protocol):
    def scope(self, name: str) -> AbstractContextManager[Tally]:
        """Count the calls made inside, by this thread, into the tally given."""
        ...


class RunLog(Protocol):
    def append(self, kind: str, record: Any) -> None:
        """Add a frozen dataclass to the records of this kind; durable when it returns."""
        ...

    def read(self, kind: str, record_type: type[Record]) -> list[Record]:
        """The records of this kind, in the order they were appended."""
        ...


class Predict(Protocol):
    """`protected_predict`: breaker, retries, rate limit and a total deadline around one predictor call."""

    def __call__(
        self,
        predictor: Any,
        *,
        circuit_name: str,
        failure_threshold: int = 5,
        recovery_timeout: float = 60,
        **inputs: Any,
    ) -> Any: ...


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
