"""Numbers over all domains, for those who watch the whole: each is one short read."""

from __future__ import annotations

from ace.core.breaker import Breaker
from ace.models.episode import EpisodeState
from ace.models.playbook import PlaybookStage
from ace.repositories import statements
from ace.repositories.database import Database, get_database
from ace.repositories.rows import breaker_from_row
from ace.repositories.schema import require_head

PATIENCE_S = 1.0


class FiguresRepository:
    """Without a database: the one the settings name. Raises StoreUnavailable, SchemaMismatch."""

    def __init__(self, database: Database | None = None) -> None:
        self._database = require_head(database or get_database()).brisk(PATIENCE_S)

    def breakers(self) -> list[Breaker]:
        """Every breaker somebody has used."""
        return [breaker_from_row(row) for row in self._database.rows(statements.BREAKERS)]

    def stages(self) -> dict[PlaybookStage, int]:
        """How many bullets each stage holds (every stage is a key)."""
        found: dict[str, int] = dict(self._database.rows(statements.STAGE_FIGURES))
        return {stage: found.get(stage.value, 0) for stage in PlaybookStage}

    def episodes(self) -> dict[EpisodeState, int]:
        """How many episodes are in each state (every state is a key)."""
        found: dict[str, int] = dict(self._database.rows(statements.EPISODE_FIGURES))
        return {state: found.get(state.value, 0) for state in EpisodeState}

    def assignments(self) -> dict[EpisodeState, int]:
        """How many tasks of runs are in each state (every state is a key)."""
        found: dict[str, int] = dict(self._database.rows(statements.ASSIGNMENT_FIGURES))
        return {state: found.get(state.value, 0) for state in EpisodeState}

    def waiting_since(self) -> float | None:
        """When the oldest episode that still waits was reported, in seconds since 1970; None when none waits."""
        (oldest,) = self._database.rows(statements.WAITING_SINCE)[0]
        return None if oldest is None else float(oldest)
