"""What lies below: the database's stores, the index, the embedder, files; each concrete class named once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.config import Settings, get_settings
from ace.system import private
from ace.utils.clock import SystemClock

if TYPE_CHECKING:
    from ace.core.backup_ports import BackupPlace
    from ace.core.ports import (
        AssignmentQueue,
        Embedder,
        EpisodeQueue,
        Leases,
        PlaybookStore,
        ReviewQueue,
        SecondLook,
        VectorIndex,
    )
    from ace.repositories.database import Database
    from ace.repositories.dump import Dump
    from ace.repositories.pgvector_index import PgVectorIndex
    from ace.services.drills import Search
    from ace.utils.faiss_index import FaissManager
    from ace.utils.run_folder import RunFolder


class Stores:
    """What everything else is built on."""

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
    def assignments(self) -> AssignmentQueue:
        from ace.repositories.assignment_repository import AssignmentRepository

        return AssignmentRepository()

    @cached_property
    def leases(self) -> Leases:
        from ace.repositories.lease_repository import LeaseRepository

        return LeaseRepository()

    @cached_property
    def review_queue(self) -> ReviewQueue:
        from ace.repositories.review_repository import ReviewRepository

        return ReviewRepository()

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

    def _pgvector_ready(self) -> bool:
        from ace.repositories.pgvector_index import PgVectorIndex

        return isinstance(self.plain_index, PgVectorIndex) and self.plain_index.is_ready()

    @cached_property
    def second_look(self) -> SecondLook:
        if self.settings.dedupe == "cosine":
            from ace.curator.semantic_curator import CosineRule

            return CosineRule()
        from ace.utils.nli import NliSecondLook

        return NliSecondLook(self.settings.models_path)

    def schema_revision(self) -> str | None:
        """The revision the database is at. Raises StoreUnavailable."""
        from ace.repositories import schema
        from ace.repositories.database import get_database

        return schema.current(get_database())

    def rest(self) -> None:
        """Nothing is to be done for a while: keep no database connection."""
        from ace.repositories.database import rest

        rest()

    def tables(self, url: str | None = None) -> Dump:
        """Every row of the database at `url`, or of the one the settings name."""
        from ace.repositories.database import Database
        from ace.repositories.dump import Dump

        return Dump(Database(url or self.settings.database))

    def backup_place(self, url: str | None = None) -> BackupPlace:
        """Where backups go: `url`, or what the settings say."""
        from ace.utils.object_store import open_place

        return open_place(url or self.settings.backup_url or str(self.settings.path("backups")))

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

    def run_folder(self, run_id: str, config: Mapping[str, Any]) -> RunFolder:
        """The folder of a run, held by this process; see `RunFolder.open` for what it raises."""
        from ace.utils.run_folder import RunFolder

        private.restrict_data(self.settings.data_dir)
        return RunFolder.open(self.settings.path("runs", run_id), config)
