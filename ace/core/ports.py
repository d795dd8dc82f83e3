"""What the inside asks of the outside. Each port has an adapter in a room above and a fake in `ace.testing`.

Embedder          text -> unit vectors                        utils/embeddings      HashEmbedder
SecondLook        are these two bullets the same advice?      utils/nli             RuleSecondLook
PlaybookStore     the bullets and their journal               repositories          InMemoryPlaybook
EpisodeQueue      what agents reported, until it is merged    repositories          InMemoryEpisodes
AssignmentQueue   tasks that workers do for a run             repositories          InMemoryAssignments
ReviewQueue       insights that wait for a person             repositories          InMemoryReviews
VectorIndex       the bullets nearest to a vector             utils/faiss_index     ExactIndex
KeyStore          API keys                                    repositories          InMemoryKeys
Secrets           random values all processes share           repositories          InMemorySecrets
Leases            who leads, until when                       repositories          InMemoryLeases
ReleaseStore      names for positions of journals             repositories          InMemoryReleases
UsageStore        what domains spend on models in a day       repositories          InMemoryUsage
AnchorLog         heads kept outside the database             utils/anchor          InMemoryAnchors
Predict           one protected call of a language model      utils/llm_circuit_breaker
Clock             what time it is                             SystemClock           FrozenClock

Backups have theirs in `ace.core.backup_ports`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ace.core.gathering import Grow
from ace.core.similarity import Relation
from ace.models.access import ApiKey
from ace.models.assignment import Assignment, Held, Kept
from ace.models.episode import Claim, Episode, EpisodeState, EpisodeStatus
from ace.models.insight import Delta
from ace.models.journal import Entry, Position
from ace.models.plan import Operation
from ace.models.playbook import Bullet, Context, Link, PlaybookStage, Section
from ace.models.purge import Report
from ace.models.release import Release
from ace.models.review import ReviewItem, ReviewState
from ace.models.run import Lesson
from ace.models.task import Feedback, Task, Trajectory, Usage
from ace.models.usage import DayUsage, Spent

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
    """For each vector its nearest bullets, best first, as of `position`.

    Where others write faster than one can read, a bullet's counters and stage may be newer; the journal has then gone
    on from `position`.
    """

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

    @property
    def head(self) -> Position:
        """The journal's head, with what this transaction has added."""
        ...

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

    def votes_of(self, principal: str, ids: Collection[str]) -> dict[str, int]:
        """How often a principal's word counts now on each of these bullets; those it has not voted on are left out."""
        ...

    def reviews(self, ids: Collection[str]) -> dict[str, ReviewItem]:
        """The review items of these ids that this domain has."""
        ...

    def hold(self, items: Sequence[ReviewItem], *, vectors: Mapping[str, Vectors]) -> None:
        """Put insights into the queue, in the place of what was there by the same id."""
        ...

    def decide(self, item_id: str, change: Callable[[ReviewItem], ReviewItem]) -> ReviewItem:
        """Replace an item by what `change` makes of it. Raises NotFound, and what `change` raises."""
        ...

    def finish_episode(self, claim: Claim, result: Mapping[str, Any]) -> None:
        """Mark a claimed episode of this domain DONE in this same commit.

        Raises LeaseLost when the claim is no longer its worker's: then nothing of the transaction may be kept.
        """
        ...

    def finish_assignment(self, held: Held, result: Kept) -> None:
        """The same for an assignment."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BulletFilter:
    """Which bullets: None is any; `text` is contained in the content, whatever the case of its ASCII letters."""

    stage: PlaybookStage | None = None
    section: Section | None = None
    text: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A bullet with the journal entry that added it, and when that was (UTC)."""

    bullet: Bullet
    born_seq: int
    created_at: datetime


class PlaybookStore(Protocol):
    def domains(self) -> list[str]:
        """Every domain that has a journal, sorted."""
        ...

    def counts(self) -> dict[str, dict[PlaybookStage, int]]:
        """How many bullets each stage of each domain that has a journal holds."""
        ...

    def page(self, domain_id: str, wanted: BulletFilter, *, limit: int, before: int | None = None) -> list[Listed]:
        """Bullets that fit the filter, the newest first; `before` is the `born_seq` of the last one seen."""
        ...

    def history(self, domain_id: str, bullet_id: str) -> list[Entry]:
        """The journal's entries about one bullet, and the rollbacks, in order."""
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

    def ripe(self, domain_id: str, *, stage: PlaybookStage, helpful_min: int, ratio_min: float) -> list[Bullet]:
        """The bullets of a stage that harmed at least as often as they helped, or show so many helpful votes and so
        many per harmful one; oldest first."""
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


class KeyStore(Protocol):
    def add(self, key: ApiKey) -> bool:
        """Keep a new key; durable when it returns. False, and nothing is changed, when there is one of this id."""
        ...

    def get(self, key_id: str) -> ApiKey | None: ...

    def all(self) -> list[ApiKey]:
        """Every key there ever was, oldest first."""
        ...

    def revoke(self, key_id: str, at: float) -> bool:
        """Mark it revoked, the first time counts; False when there is none."""
        ...

    def any(self) -> bool:
        """Whether a key was ever made."""
        ...


class Secrets(Protocol):
    def get(self, name: str, new: str) -> str:
        """The secret of this name, shared by every process; `new` becomes it when there is none yet."""
        ...


class EpisodeQueue(Protocol):
    """Episodes from report to merge; the table of states stands in `ace.core.leasing`. `now`: seconds since the epoch.

    `postpone`, `release` and `defer` raise LeaseLost when the claim is no longer its worker's.
    """

    def report(self, episode: Episode) -> bool:
        """Keep an episode for reflection; durable when it returns. False: a repeat, which changed nothing.

        It takes the place of what a trace has said so far, until a worker has had that. Raises InvalidInput, Conflict
        when the id was reported with another body.
        """
        ...

    def gather(self, domain: str, episode_id: str, grow: Grow, due_at: float) -> bool:
        """Keep what `grow` makes of the episode, or of none, due then; durable when it returns.

        False: a worker has had it, or it was reported whole; nothing is changed. Raises InvalidInput, Conflict when its
        receipt is another episode's.
        """
        ...

    def claim(self, worker: str, now: float, lease_s: float, domain: str | None = None) -> Claim | None:
        """The longest due episode, for `lease_s` seconds; None when none is due. No two workers get the same one."""
        ...

    def claim_one(self, worker: str, now: float, lease_s: float, domain: str, episode_id: str) -> Claim | None:
        """This very episode, due or not; None when it is not to be had (no such, leased, done, dead)."""
        ...

    def postpone(self, claim: Claim, error: str, now: float) -> EpisodeStatus:
        """The attempt failed: queued again for later, or dead when it was the last."""
        ...

    def release(self, claim: Claim) -> EpisodeStatus:
        """The attempt was not made: queued again at once, and not counted."""
        ...

    def defer(self, claim: Claim, reason: str, due_at: float) -> EpisodeStatus:
        """The attempt was not made: queued again for then, and not counted."""
        ...

    def requeue(self, domain: str, episode_id: str) -> EpisodeStatus:
        """Give a dead episode all its attempts again. Raises NotFound, Conflict when it is not dead."""
        ...

    def get(self, domain: str, episode_id: str) -> Episode | None: ...

    def status(self, domain: str, episode_id: str) -> EpisodeStatus | None: ...

    def list(
        self, domain: str, state: EpisodeState | None = None, limit: int = 100, after: str = ""
    ) -> Sequence[EpisodeStatus]:
        """Episodes by id, from the one that follows `after`."""
        ...

    def ended(self, domain: str, ids: Collection[str]) -> Mapping[str, EpisodeStatus]:
        """Those of these episodes that are done or dead."""
        ...

    def naming(self, domain: str, bullet_id: str) -> Sequence[EpisodeStatus]:
        """The episodes that were shown or cited a bullet, by id."""
        ...

    def reports(self, domain: str) -> Sequence[Report]:
        """What every episode of a domain tells about descent, by id."""
        ...

    def counts(self, domain: str | None = None) -> dict[EpisodeState, int]:
        """How many there are in each state (every state is a key)."""
        ...


class AssignmentQueue(Protocol):
    """Tasks of runs, from the run that asks to the worker that does them; states and leases are those of episodes.

    `postpone`, `release`, `defer` and `finish` raise LeaseLost when it is no longer its worker's.
    """

    def assign(self, assignments: Sequence[Assignment]) -> int:
        """Keep those that are new, and give the dead ones of the same runs all their attempts again; how many are new.

        Raises InvalidInput, Conflict when an id was assigned with another task.
        """
        ...

    def claim(self, worker: str, now: float, lease_s: float, domain: str | None = None) -> Held | None:
        """The longest due assignment, for `lease_s` seconds; None when none is due. No two workers get the same one."""
        ...

    def postpone(self, held: Held, error: str, now: float) -> EpisodeStatus:
        """The attempt failed: queued again for later, or dead when it was the last."""
        ...

    def release(self, held: Held) -> EpisodeStatus:
        """The attempt was not made: queued again at once, and not counted."""
        ...

    def defer(self, held: Held, reason: str, due_at: float) -> EpisodeStatus:
        """The attempt was not made: queued again for then, and not counted."""
        ...

    def finish(self, held: Held, lesson: Lesson) -> EpisodeStatus:
        """Done; its lesson waits for the run that asked. Durable when it returns."""
        ...

    def ended(self, domain: str, ids: Collection[str]) -> Mapping[str, EpisodeStatus]:
        """Those of these assignments that are done or dead."""
        ...

    def counts(self, domain: str, run_id: str) -> dict[EpisodeState, int]:
        """How many of a run are in each state (every state is a key)."""
        ...


class ReviewQueue(Protocol):
    """What waits for a person, and what was decided; changed by transactions alone."""

    def get(self, domain: str, item_id: str) -> ReviewItem | None: ...

    def list(
        self, domain: str, state: ReviewState | None = None, limit: int = 100, after: str = ""
    ) -> Sequence[ReviewItem]:
        """Items, those that came first in front, from the one that follows `after`."""
        ...

    def counts(self, domain: str | None = None) -> dict[ReviewState, int]:
        """How many there are in each state (every state is a key)."""
        ...

    def near(
        self, domain: str, vectors: Vectors, *, floor: float, k: int
    ) -> Sequence[Sequence[tuple[ReviewItem, float]]]:
        """For each row of `vectors` the `k` nearest items with a cosine of at least `floor`, best first."""
        ...


class Leases(Protocol):
    def acquire(self, name: str, holder: str, *, now: float, seconds: float) -> bool:
        """Take a lease that is free or has run out, or renew one's own; False while another holds it."""
        ...

    def release(self, name: str, holder: str) -> None:
        """Give one's own lease back; another's stays."""
        ...

    def holder(self, name: str, *, now: float) -> str | None:
        """Who holds it now."""
        ...


class ReleaseStore(Protocol):
    def add(self, release: Release) -> Release:
        """Keep a new release; the one of that name when there is one. Its domain must have a journal."""
        ...

    def get(self, domain_id: str, name: str) -> Release | None: ...

    def all(self, domain_id: str) -> list[Release]:
        """Every release of a domain, oldest first."""
        ...


class UsageStore(Protocol):
    """What domains have spent on language models. `day`: of UTC, as in 2026-11-25."""

    def add(self, domain_id: str, day: str, spent: Spent) -> None:
        """Add this to what was spent that day; durable when it returns. Two who add at once lose nothing."""
        ...

    def spent(self, domain_id: str, day: str) -> Spent:
        """The sum of that day."""
        ...

    def days(self, domain_id: str | None = None, *, limit: int) -> Sequence[DayUsage]:
        """The latest days on which anything was spent, the last first, by domain within a day."""
        ...


class AnchorLog(Protocol):
    @property
    def url(self) -> str:
        """Where it is, for people."""
        ...

    def lines(self) -> list[str]:
        """Every line, in order. Raises StoreUnavailable."""
        ...

    def append(self, number: int, line: str) -> bool:
        """Make this the line of this number; durable when it returns. False: others have come first."""
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
