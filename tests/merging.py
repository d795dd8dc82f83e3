"""One merge that touches everything: it adds, merges, votes, links, holds for a person, and finishes a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ace.core.observing import observe
from ace.core.ports import Transaction
from ace.core.review import Policy
from ace.curator.semantic_curator import SemanticCurator
from ace.models.episode import Claim
from ace.models.insight import Delta, Insight, Tag, Vote
from ace.models.plan import MergeResult, Promote
from ace.models.playbook import PlaybookStage
from ace.models.review import ReviewMode
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.review_repository import ReviewRepository
from ace.testing import checks
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.utils.faiss_index import FaissManager
from tests.episodes import AT, episode
from tests.integration.test_semantic_curator import WordRule
from tests.playbooks import DOMAIN

KNOWN = ("check the units of every number", "always round the total up", "read the question twice")
LESSONS = (
    "name the currency of each amount",  # new
    "of every number check the units",  # known in other words
    "never round the total up",  # the opposite of what is known
    "write to the auditor at ann.lee@example.com",  # what a screen catches
)
REPORT = "report-1"
LEASE_S = 1000.0


class Workshop:
    """A database, an index in `folder`, and what merges into both; opening it again is all there is to recovering."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        stores: Callable[[Database], PlaybookRepository] = PlaybookRepository,
    ) -> None:
        self.database, self.folder = database, folder
        self.store, self.episodes = stores(database), EpisodeRepository(database)
        self.index = FaissManager(self.store, folder, model="hash")
        self.clock = FrozenClock()
        self.curator = SemanticCurator(
            store=self.store,
            index=self.index,
            embedder=HashEmbedder(),
            second_look=WordRule(),
            clock=self.clock,
            reviews=ReviewRepository(database),
            policy=Policy(mode=ReviewMode.SCREENS),
        )

    def teach(self, own: str, *texts: str, votes: tuple[Vote, ...] = ()) -> MergeResult:
        """What one episode taught, merged without a report."""
        lessons = tuple(Insight(content=text) for text in texts)
        return self.curator.apply_delta(Delta(episode_id=own, insights=lessons, votes=votes), DOMAIN)

    def open(self) -> Claim:
        """The playbook before the merge, an index on the disk that lags behind it, and a report in hand."""
        self.teach("first", *KNOWN[:2])
        self.index.save(DOMAIN)
        self.teach("second", KNOWN[2])
        risen = Promote(bullet_id=self.id_of(KNOWN[0]), to=PlaybookStage.STAGING, reason="it has shown its worth")
        with self.store.transaction(DOMAIN) as transaction:
            transaction.apply([risen], vectors={}, now=self.clock.now())
        self.episodes.report(episode(REPORT))
        claim = self.episodes.claim_one("worker", AT, LEASE_S, DOMAIN, REPORT)
        assert claim is not None
        return claim

    def merge(self, claim: Claim, *, key: str | None = REPORT) -> MergeResult:
        """The merge under an idempotency key; then the index follows it and is saved."""
        votes = (
            Vote(bullet_id=self.id_of(KNOWN[2]), tag=Tag.HELPFUL),
            Vote(bullet_id=self.id_of(KNOWN[1]), tag=Tag.HARMFUL),
        )
        lessons = tuple(Insight(content=text) for text in LESSONS)
        seen = observe(claim.episode, mark="0" * 16)
        delta = Delta(episode_id=claim.episode.id, insights=lessons, votes=votes, observation=seen)

        def along(transaction: Transaction, result: MergeResult) -> None:
            figures = {"added": 2, "merged": 1, "held": 1, "votes": 2}
            transaction.finish_episode(claim, figures | {"position": result.position})

        result = self.curator.apply_delta(delta, DOMAIN, idempotency_key=key, along=along)
        self.index.load(DOMAIN)
        self.index.close()
        return result

    def id_of(self, text: str) -> str:
        """The bullet of this text."""
        return next(bullet.id for bullet in self.store.get_all(DOMAIN) if bullet.content == text)

    def complaints(self) -> list[str]:
        return checks.everything(self.database, self.index)

    def close(self) -> None:
        self.database.close()
