"""The composition root: each concrete class is named here once, and built when first asked for.

Heavy libraries (FAISS, onnxruntime, DSPy) are imported by the part that needs them, when it is needed, so that
`ace --help` never pays for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.config import Settings, get_settings
from ace.models.playbook import PlaybookStage, Selection, Traffic
from ace.models.review import ReviewMode
from ace.utils.clock import SystemClock

if TYPE_CHECKING:
    from ace.core.backup_ports import BackupPlace
    from ace.core.exposure import Shares
    from ace.core.gates import Gates
    from ace.core.ports import (
        AssignmentQueue,
        Embedder,
        EpisodeQueue,
        Generator,
        Leases,
        PlaybookStore,
        Reflector,
        ReviewQueue,
        SecondLook,
        VectorIndex,
    )
    from ace.curator.semantic_curator import SemanticCurator
    from ace.models.bench import Arm
    from ace.models.run import Limits
    from ace.models.task import Task
    from ace.repositories.database import Database
    from ace.repositories.dump import Dump
    from ace.repositories.pgvector_index import PgVectorIndex
    from ace.services.advising import Advising
    from ace.services.anchoring import Anchoring
    from ace.services.assigning import Assigning
    from ace.services.attempts import Attempts
    from ace.services.backups import Backups
    from ace.services.bench_learners import Kit
    from ace.services.benching import Behind
    from ace.services.blaming import Blaming
    from ace.services.books import Books
    from ace.services.budgets import Budgets
    from ace.services.drills import Search
    from ace.services.errands import Errands
    from ace.services.gathering import Gathering
    from ace.services.guarding import Guarding
    from ace.services.health import HealthCheck
    from ace.services.keys import Keys
    from ace.services.learning import Learning
    from ace.services.overhearing import Overhearing
    from ace.services.purge import Purge
    from ace.services.receipts import Receipts
    from ace.services.refining import Refining
    from ace.services.reflection import Reflection
    from ace.services.release_replays import Showing
    from ace.services.releases import Releases
    from ace.services.replay_tasks import ReplayTasks
    from ace.services.replays import Replays
    from ace.services.retrieval import Retrieval
    from ace.services.review import Reviews
    from ace.services.rollback import Rollbacks
    from ace.services.sessions import Sessions
    from ace.services.staging import Staging
    from ace.services.stewardship import Stewardship
    from ace.services.time_travel import TimeTravel
    from ace.services.training import Training
    from ace.services.worth import Appraisal
    from ace.utils.bench_room import BenchRoom
    from ace.utils.call_ledger import CallLedger
    from ace.utils.faiss_index import FaissManager
    from ace.utils.llm_meter import Meter
    from ace.utils.run_folder import RunFolder


HEALTH_PATIENCE_S = 0.7  # /health answers within a second, also when the database hangs
INDEX_PATIENCE_S = 0.25  # of which the index has so much, where it is in the database


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What a run needs while it holds a language model."""

    learning: Learning
    training: Training
    attempts: Attempts


class App:
    """Everything one process needs, wired from its settings."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or get_settings()
        self.clock = SystemClock()

    @cached_property
    def store(self) -> PlaybookStore:
        from ace.repositories.playbook_repository import PlaybookRepository
        from ace.utils.metrics import entries_committed

        return PlaybookRepository(committed=entries_committed)

    @cached_property
    def episodes(self) -> EpisodeQueue:
        from ace.repositories.episode_repository import EpisodeRepository

        return EpisodeRepository()

    @cached_property
    def gathering(self) -> Gathering:
        from ace.core.gathering import Patience
        from ace.services.gathering import Gathering

        given = self.settings
        return Gathering(
            self.episodes, self.clock, Patience(quiet_s=given.trace_quiet_s, settle_s=given.trace_settle_s)
        )

    @cached_property
    def overhearing(self) -> Overhearing:
        from ace.services.overhearing import Overhearing

        return Overhearing(self.episodes, self.receipts, self.clock, self.settings.proxy_settle_s)

    @cached_property
    def assignments(self) -> AssignmentQueue:
        from ace.repositories.assignment_repository import AssignmentRepository

        return AssignmentRepository()

    @cached_property
    def leases(self) -> Leases:
        from ace.repositories.lease_repository import LeaseRepository

        return LeaseRepository()

    @cached_property
    def embedder(self) -> Embedder:
        from ace.utils.embeddings import get_embedder

        return get_embedder()

    @cached_property
    def index(self) -> VectorIndex:
        from ace.utils.metered import MeteredIndex

        return MeteredIndex(self.plain_index)

    @cached_property
    def plain_index(self) -> FaissManager | PgVectorIndex:
        """The index whose searches are not counted among those for bullets."""
        if self.settings.vector_backend == "pgvector":
            from ace.repositories.pgvector_index import PgVectorIndex

            return PgVectorIndex()
        from ace.utils.faiss_index import get_faiss_manager

        return get_faiss_manager()

    @cached_property
    def second_look(self) -> SecondLook:
        if self.settings.dedupe == "cosine":
            from ace.curator.semantic_curator import CosineRule

            return CosineRule()
        from ace.utils.nli import NliSecondLook

        return NliSecondLook(self.settings.models_path)

    @cached_property
    def review_queue(self) -> ReviewQueue:
        from ace.repositories.review_repository import ReviewRepository

        return ReviewRepository()

    @cached_property
    def reviews(self) -> Reviews:
        from ace.services.review import Reviews

        return Reviews(store=self.store, queue=self.review_queue, curator=self.curator, clock=self.clock)

    @cached_property
    def curator(self) -> SemanticCurator:
        return self._curator(ReviewMode.FULL)

    @cached_property
    def run_curator(self) -> SemanticCurator:
        """For what a person at this machine starts: learning from files, importing."""
        return self._curator(ReviewMode.SCREENS)

    def _curator(self, auto: ReviewMode) -> SemanticCurator:
        """A Curator whose policy is what the settings say, and `auto` where they leave it open."""
        from ace.core.review import Policy
        from ace.utils.metered import MeteredCurator

        given = self.settings

        return MeteredCurator(
            store=self.store,
            index=self.index,
            embedder=self.embedder,
            second_look=self.second_look,
            clock=self.clock,
            reviews=self.review_queue,
            policy=Policy(
                mode=auto if given.review == "auto" else ReviewMode(given.review),
                confidence_min=given.review_confidence_min,
                votes_per_principal=given.votes_per_principal,
            ),
            max_batch_size=self.settings.max_batch_size,
            batch_timeout_s=self.settings.batch_timeout_s,
        )

    @cached_property
    def gates(self) -> Gates:
        from ace.core.gates import Gate
        from ace.curator import semantic_curator as own

        given = self.settings
        return {
            PlaybookStage.SHADOW: Gate(
                helpful_min=given.promotion_helpful_min or own.promotion_helpful_min,
                ratio_min=given.promotion_ratio_min or own.promotion_ratio_min,
            ),
            PlaybookStage.STAGING: Gate(
                helpful_min=given.prod_helpful_min or own.prod_helpful_min,
                ratio_min=given.prod_ratio_min or own.prod_ratio_min,
            ),
        }

    @cached_property
    def books(self) -> Books:
        from ace.services.books import Books

        return Books(self.store)

    @cached_property
    def staging(self) -> Staging:
        from ace.models.evidence import Policy
        from ace.services.staging import Staging

        policy = Policy(self.settings.policy)
        return Staging(self.store, self.clock, levels=self.gates, books=self.books, policy=policy)

    @cached_property
    def appraisal(self) -> Appraisal:
        from ace.models.evidence import Policy
        from ace.services.worth import Appraisal

        return Appraisal(self.store, self.books, policy=Policy(self.settings.policy), levels=self.gates)

    @cached_property
    def replay_tasks(self) -> ReplayTasks:
        from ace.services.replay_tasks import ReplayTasks

        return ReplayTasks(store=self.store, episodes=self.episodes, embedder=self.embedder, model=self.settings.model,
                           floor=self.settings.similarity_floor)  # fmt: skip

    @cached_property
    def replays(self) -> Replays:
        from ace.services.replays import Replays

        return Replays(self.store, self.clock, tasks=self.replay_tasks, levels=self.gates, books=self.books)

    @cached_property
    def blaming(self) -> Blaming:
        from ace.services.blaming import Blaming

        return Blaming(self.store, self.episodes)

    @cached_property
    def showing(self) -> Showing:
        """How contexts are made for playbooks as they were."""
        from ace.core.ranking import VISIBLE
        from ace.services.release_replays import Showing

        given = self.settings
        return Showing(embedder=self.embedder, stages=VISIBLE[Traffic(given.env)], floor=given.similarity_floor,
                       trust_weight=given.trust_weight, k=given.k, token_budget=given.token_budget)  # fmt: skip

    @cached_property
    def refining(self) -> Refining:
        from ace.services.refining import Refining

        days, budget = self.settings.archive_unused_days, self.settings.domain_token_budget
        return Refining(self.store, self.plain_index, self.second_look, self.clock, books=self.books,
                        unused_days=days, budget=budget)  # fmt: skip

    @cached_property
    def retrieval(self) -> Retrieval:
        from ace.core.ranking import VISIBLE
        from ace.services.retrieval import Retrieval
        from ace.services.whole import Whole
        from ace.utils.metered import MeteredRetrieval

        retrieval = Retrieval(
            index=self.index,
            embedder=self.embedder,
            stages=VISIBLE[Traffic(self.settings.env)],
            floor=self.settings.similarity_floor,
            trust_weight=self.settings.trust_weight,
            whole=Whole(self.store),
        )
        return MeteredRetrieval(retrieval)

    @cached_property
    def version(self) -> str:
        from ace import __version__

        return __version__

    @cached_property
    def commit(self) -> str | None:
        from ace.utils.git_commit import commit

        return self.settings.commit or commit()

    def schema_revision(self) -> str | None:
        """The revision the database is at. Raises StoreUnavailable."""
        from ace.repositories import schema
        from ace.repositories.database import get_database

        return schema.current(get_database())

    def rest(self) -> None:
        """Nothing is to be done for a while: keep no database connection."""
        from ace.repositories.database import rest

        rest()

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One HTTP request was answered."""
        from ace.utils import metrics

        metrics.request_answered(method, route, status, seconds)

    def observe_proxied(self, outcome: str, seconds: float) -> None:
        """One model request went through the proxy."""
        from ace.utils import metrics

        metrics.request_proxied(outcome, seconds)

    @contextmanager
    def observed(self, component: str) -> Iterator[None]:
        """This process counts into the data directory's metrics, and traces where the settings say.

        Raises StoreUnavailable, MissingExtra.
        """
        from ace.utils import metrics, tracing

        metrics.enable(self.settings.data_dir)
        tracing.enable(self.settings.otel_endpoint, component=component)
        try:
            yield
        finally:
            tracing.disable()
            metrics.disable()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """What a server process has running beside its requests."""
        from ace.utils.stage_schedule import StageSchedule

        with self.observed("server"):
            schedule = StageSchedule(
                self,
                guard=self.guarding.guard,
                anchor=lambda domain_id: self.anchoring.anchor([domain_id]),
                refine=lambda domain_id, go_on: self.refining.refine(domain_id, go_on),
                tend=lambda domain_id: self.plain_index.tend(domain_id),
            )
            schedule.start()
            try:
                yield
            finally:
                schedule.stop()

    @cached_property
    def keys(self) -> Keys:
        from ace.repositories.key_repository import KeyRepository
        from ace.services.keys import Keys

        return Keys(KeyRepository(), self.clock, os.urandom)

    @cached_property
    def receipts(self) -> Receipts:
        from ace.repositories.key_repository import SecretRepository
        from ace.services.receipts import Receipts

        return Receipts(SecretRepository(), self.clock, os.urandom)

    @cached_property
    def shares(self) -> Shares:
        """The chances with which bullets are shown."""
        from ace.core.exposure import Shares

        given = self.settings
        trial = given.trial if given.policy == "evidence" else 1.0
        return Shares(canary=given.canary, dropout=given.dropout, holdout=given.holdout, trial=trial,
                      salt=self.receipts.salt())  # fmt: skip

    @cached_property
    def advising(self) -> Advising:
        from ace.services.advising import Advising

        given = self.settings
        return Advising(self.retrieval, self.receipts, self.shares, k=given.k, token_budget=given.token_budget,
                        traffic=Traffic(given.env), selection=Selection(given.selection))  # fmt: skip

    @cached_property
    def sessions(self) -> Sessions:
        from ace.repositories.key_repository import SecretRepository
        from ace.services.sessions import Sessions

        return Sessions(self.keys, SecretRepository(), self.clock, os.urandom)

    @cached_property
    def stewardship(self) -> Stewardship:
        from ace.services.stewardship import Stewardship

        return Stewardship(self.store, self.clock)

    @cached_property
    def anchoring(self) -> Anchoring:
        return self.anchoring_in(self.settings.anchor_url or str(self.settings.path("anchors.jsonl")))

    def anchoring_in(self, url: str) -> Anchoring:
        """The anchors of this store's journals in the log at `url`."""
        from ace.services.anchoring import Anchoring
        from ace.utils.anchor import key_in, open_log

        key = partial(key_in, self.settings.anchor_key_file or self.settings.path("anchor.key"))
        return Anchoring(self.store, open_log(url), key, self.clock)

    @cached_property
    def releases(self) -> Releases:
        from ace.repositories.release_repository import ReleaseRepository
        from ace.services.releases import Releases

        return Releases(self.store, ReleaseRepository(), self.clock)

    @cached_property
    def travel(self) -> TimeTravel:
        from ace.services.time_travel import TimeTravel

        return TimeTravel(self.store, self.releases)

    @cached_property
    def rollbacks(self) -> Rollbacks:
        from ace.services.rollback import Rollbacks

        return Rollbacks(self.store, self.travel, self.clock)

    @cached_property
    def guarding(self) -> Guarding:
        from ace.models.guardrail import Bounds, Mode
        from ace.repositories.release_repository import ReleaseRepository
        from ace.services.guarding import Guarding

        given = self.settings
        bounds = Bounds(success_points=given.guardrail_success_points, latency_percent=given.guardrail_latency_percent,
                        error_percent=given.guardrail_error_percent, alpha=given.guardrail_alpha)  # fmt: skip
        return Guarding(self.store, ReleaseRepository(), self.rollbacks, mode=Mode(given.guardrail), bounds=bounds)

    @cached_property
    def budgets(self) -> Budgets:
        from ace.models.run import Limits
        from ace.repositories.usage_repository import UsageRepository
        from ace.services.budgets import Budgets

        given = self.settings
        limits = Limits(calls=given.domain_calls_per_day, tokens=given.domain_tokens_per_day,
                        cost_usd=given.domain_usd_per_day)  # fmt: skip
        return Budgets(UsageRepository(), self.clock, limits)

    @cached_property
    def purge(self) -> Purge:
        from ace.services.purge import Purge

        return Purge(self.store, self.episodes, self.review_queue, self.clock)

    @cached_property
    def health(self) -> HealthCheck:
        from ace.repositories.breaker_repository import BreakerRepository
        from ace.services.health import HealthCheck
        from ace.utils.llm_deadline import Shared

        breakers = Shared(lambda: BreakerRepository().all(), HEALTH_PATIENCE_S, name="The database")
        if self.settings.vector_backend == "pgvector":
            return HealthCheck(breakers.ask, Shared(self._pgvector_ready, INDEX_PATIENCE_S, name="The index").ask)
        from ace.utils.faiss_index import is_ready

        return HealthCheck(breakers.ask, is_ready)

    def _pgvector_ready(self) -> bool:
        from ace.repositories.pgvector_index import PgVectorIndex

        return isinstance(self.plain_index, PgVectorIndex) and self.plain_index.is_ready()

    @cached_property
    def backups(self) -> Backups:
        from ace.repositories.replayed import JournalReplayer
        from ace.services.backups import Backups
        from ace.utils.backup_files import JsonLinesBackups

        return Backups(files=JsonLinesBackups(), replayer=JournalReplayer(), clock=self.clock, release=self.version)

    def backup_place(self, url: str | None = None) -> BackupPlace:
        """Where backups go: `url`, or what the settings say."""
        from ace.utils.object_store import open_place

        return open_place(url or self.settings.backup_url or str(self.settings.path("backups")))

    def tables(self, url: str | None = None) -> Dump:
        """Every row of the database at `url`, or of the one the settings name."""
        from ace.repositories.database import Database
        from ace.repositories.dump import Dump

        return Dump(Database(url or self.settings.database))

    @contextmanager
    def drill_search(self, database: Database, folder: Path) -> Iterator[Search]:
        """Searches of an index made of this database, in `folder`."""
        from ace.repositories.playbook_repository import PlaybookRepository
        from ace.utils.faiss_index import FaissManager

        managers: list[FaissManager] = []

        def search(domain_id: str, vector: Any, k: int) -> list[tuple[str, float]]:
            if not managers:  # the database has no tables before the backup is in it
                managers.append(FaissManager(PlaybookRepository(database), folder))
            return managers[0].search(domain_id, vector, k)

        try:
            yield search
        finally:
            for manager in managers:
                manager.close()

    def fingerprint(self) -> dict[str, Any]:
        """The settings that shape a run's results."""
        shaping = {"model", "reflector_model", "temperature", "seed", "max_tokens", "k", "token_budget", "env",
                   "similarity_floor", "trust_weight", "dedupe", "embeddings_model", "layout", "reflector",
                   "reflector_rounds", "review", "selection"}  # fmt: skip
        return {"settings": self.settings.model_dump(mode="json", include=shaping)}

    def run_folder(self, run_id: str, config: Mapping[str, Any]) -> RunFolder:
        """The folder of a run, held by this process; see `RunFolder.open` for what it raises."""
        from ace.utils.run_folder import RunFolder

        return RunFolder.open(self.settings.path("runs", run_id), config)

    @contextmanager
    def workshop(
        self, folder: RunFolder, limits: Limits, say: Callable[[str], None], workers: Assigning | None = None
    ) -> Iterator[Workshop]:
        """The loop around a language model, which is started and stopped here when it is a local one."""
        from ace.services.attempts import Attempts
        from ace.services.training import Training
        from ace.utils.call_ledger import CallLedger
        from ace.utils.llm_meter import Meter

        ledger = CallLedger(folder)
        with self._learning(Meter(limits, spent=ledger.spent), ledger, say) as (learning, generator):
            yield Workshop(
                learning=learning,
                training=Training(learning=learning, store=self.store, log=folder, clock=self.clock, workers=workers),
                attempts=Attempts(generator, folder),
            )

    @contextmanager
    def bench_room(
        self, folder: RunFolder, limits: Limits, say: Callable[[str], None], *, window: int
    ) -> Iterator[tuple[BenchRoom, Meter]]:
        """Where a bench's arms work: with this model, and playbooks in a database of the run's own."""
        from ace.utils.bench_room import BenchRoom
        from ace.utils.call_ledger import CallLedger
        from ace.utils.llm_meter import Meter

        ledger = CallLedger(folder)
        meter = Meter(limits, spent=ledger.spent)
        with ExitStack() as stack:
            base_url = stack.enter_context(self._local_model(say)) if self.settings.model == "local" else None
            store, playbook = stack.enter_context(self._playbooks_in(folder.path, meter))
            say("ready")

            def kit_of(arm: Arm, tasks: Sequence[Task], behind: Behind, reading: bool) -> Kit:
                from ace.services.bench_learners import Kit

                seeded = App(self.settings.model_copy(update={"seed": arm.seed}))
                generator, reflector = seeded._roles(meter, ledger, base_url)
                return Kit(tasks={task.id: task for task in tasks}, behind=behind, reading=reading,
                           generator=generator, reflector=reflector, embedder=self.embedder, meter=meter,
                           k=self.settings.k, window=window, playbook=partial(playbook, generator))  # fmt: skip

            yield BenchRoom(folder.path, store=store, clock=self.clock, kit_of=kit_of), meter

    @contextmanager
    def _playbooks_in(
        self, folder: Path, meter: Meter
    ) -> Iterator[tuple[PlaybookStore, Callable[[Generator, Reflector], Learning]]]:
        """Playbooks beside the user's own: their store, and the loop around them."""
        from ace.core.ranking import VISIBLE
        from ace.curator.semantic_curator import SemanticCurator
        from ace.repositories.database import Database
        from ace.repositories.playbook_repository import PlaybookRepository
        from ace.services.learning import Learning
        from ace.services.retrieval import Retrieval
        from ace.services.whole import Whole
        from ace.utils.faiss_index import FaissManager

        given, database = self.settings, Database(f"sqlite:///{folder / 'playbooks.db'}")
        store = PlaybookRepository(database)
        index = FaissManager(store, folder / "indices", model=given.embeddings_model)
        curator = SemanticCurator(store=store, index=index, embedder=self.embedder, second_look=self.second_look,
                                  clock=self.clock)  # fmt: skip
        retrieval = Retrieval(index=index, embedder=self.embedder, stages=VISIBLE[Traffic.SHADOW],
                              floor=given.similarity_floor, trust_weight=given.trust_weight,
                              whole=Whole(store))  # fmt: skip

        def learning(generator: Generator, reflector: Reflector) -> Learning:
            return Learning(retrieval=retrieval, generator=generator, reflector=reflector, curator=curator,
                            meter=meter, k=given.k, token_budget=given.token_budget,
                            selection=Selection(given.selection))  # fmt: skip

        try:
            yield store, learning
        finally:
            index.close()
            database.close()

    @contextmanager
    def answering(self, say: Callable[[str], None]) -> Iterator[Learning]:
        """The loop for single attempts, of which nothing is kept."""
        from ace.utils.llm_meter import Meter

        with self._learning(Meter(), None, say) as (learning, _):
            yield learning

    @contextmanager
    def _learning(
        self, meter: Meter, ledger: CallLedger | None, say: Callable[[str], None]
    ) -> Iterator[tuple[Learning, Generator]]:
        from ace.services.learning import Learning

        with ExitStack() as stack:
            base_url = stack.enter_context(self._local_model(say)) if self.settings.model == "local" else None
            generator, reflector = self._roles(meter, ledger, base_url)
            say("ready")
            learning = Learning(
                retrieval=self.retrieval,
                generator=generator,
                reflector=reflector,
                curator=self.run_curator,
                meter=meter,
                k=self.settings.k,
                token_budget=self.settings.token_budget,
                selection=Selection(self.settings.selection),
            )
            yield learning, generator

    @contextmanager
    def reflecting(self, say: Callable[[str], None], *, lm: Any = None) -> Iterator[Reflection]:
        """The reflection on reported episodes; the local model is started only where it is the one to be asked.

        `lm` is a model of DSPy's that somebody at this machine has brought along, to be asked in its place.
        """
        from ace.services.reflection import Reflection
        from ace.utils.llm_meter import Meter

        local = (self.settings.reflector_model or self.settings.model) == "local" and not self._by_template
        meter = Meter()
        with ExitStack() as stack:
            base_url = stack.enter_context(self._local_model(say)) if local and lm is None else None
            yield Reflection(
                store=self.store,
                episodes=self.episodes,
                reflector=self._reflector(meter, None, base_url, lm),
                curator=self.curator if lm is None else self.run_curator,
                embedder=self.embedder,
                clock=self.clock,
                lease_s=self.settings.lease_s,
                budgets=self.budgets,
                meter=meter,
            )

    @contextmanager
    def working(self, say: Callable[[str], None]) -> Iterator[Errands]:
        """All that a worker does: reflection, and the tasks of runs, whose model is made ready by the first of them."""
        from ace.services.assigned import Assigned
        from ace.services.errands import Errands
        from ace.utils.llm_meter import Meter
        from ace.utils.once import Once

        meter = Meter()
        with ExitStack() as stack:
            reflection = stack.enter_context(self.reflecting(say))
            learning = Once(lambda: stack.enter_context(self._learning(meter, None, say))[0])
            assigned = Assigned(queue=self.assignments, learning=learning, clock=self.clock, meter=meter,
                                lease_s=self.settings.lease_s, budgets=self.budgets)  # fmt: skip
            yield Errands(reflection, assigned)

    def assigning(self, domain_id: str, run_id: str) -> Assigning:
        """The tasks that workers do for a run."""
        import time

        from ace.services.assigning import Assigning

        return Assigning(self.assignments, self.clock, time.sleep, domain_id=domain_id, run_id=run_id)

    @property
    def _by_template(self) -> bool:
        """Are lessons written without asking a model?"""
        name, writer = self.settings.reflector_model or self.settings.model, self.settings.reflector
        return writer == "template" or (writer == "auto" and name == "local")

    @contextmanager
    def _local_model(self, say: Callable[[str], None]) -> Iterator[str]:
        from ace.utils.local_model import LocalModel

        say("starting the local language model")
        with LocalModel(self.settings.models_path, threads=self.settings.llm_threads) as model:
            yield model.base_url

    def _roles(self, meter: Meter, ledger: CallLedger | None, base_url: str | None) -> tuple[Generator, Reflector]:
        from ace.generator.cot_generator import CoTGenerator
        from ace.utils.llm_adapter import CompactAdapter
        from ace.utils.llm_circuit_breaker import protected_predict
        from ace.utils.llm_client import language_model

        local = self.settings.model == "local"
        layout = self.settings.layout
        generator = CoTGenerator(
            predict=protected_predict,
            lm=language_model(self.settings, meter=meter, ledger=ledger, base_url=base_url),
            adapter=CompactAdapter(list_options=not local),
            layout=("terse" if local else "full") if layout == "auto" else layout,
            scope=meter.scope,
        )
        return generator, self._reflector(meter, ledger, base_url)

    def _reflector(self, meter: Meter, ledger: CallLedger | None, base_url: str | None, lm: Any = None) -> Reflector:
        from ace.reflector.fallback_reflector import FallbackReflector
        from ace.reflector.grounded_reflector import GroundedReflector
        from ace.reflector.template_reflector import TemplateReflector
        from ace.utils.llm_adapter import CompactAdapter
        from ace.utils.llm_circuit_breaker import protected_predict
        from ace.utils.llm_client import language_model
        from ace.utils.llm_metered import counted

        if self._by_template and lm is None:
            return TemplateReflector()
        name, writer = self.settings.reflector_model or self.settings.model, self.settings.reflector
        own = lm or language_model(self.settings, meter=meter, ledger=ledger, model=name, base_url=base_url)
        model = GroundedReflector(
            predict=counted(protected_predict, meter) if lm else protected_predict,
            lm=own,
            adapter=CompactAdapter(),
            rounds=self.settings.reflector_rounds,
            scope=meter.scope,
        )
        return model if writer == "model" else FallbackReflector(model, TemplateReflector())

    def write_report(self, folder: RunFolder, domain_id: str) -> Path:
        """Render the run's report into its folder."""
        from ace.utils.report import run_report

        return folder.write_report(run_report(folder, self.store.get_all(domain_id)))
