"""What is done to playbooks: learning into them, deciding on them, looking back, going back."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from ace.bootstrap.stores import Stores
from ace.models.playbook import PlaybookStage, Traffic
from ace.models.review import ReviewMode

if TYPE_CHECKING:
    from ace.core.gates import Gates
    from ace.curator.semantic_curator import SemanticCurator
    from ace.services.anchoring import Anchoring
    from ace.services.blaming import Blaming
    from ace.services.books import Books
    from ace.services.guarding import Guarding
    from ace.services.purge import Purge
    from ace.services.refining import Refining
    from ace.services.release_replays import Showing
    from ace.services.releases import Releases
    from ace.services.replay_tasks import ReplayTasks
    from ace.services.replays import Replays
    from ace.services.retrieval import Retrieval
    from ace.services.review import Reviews
    from ace.services.rollback import Rollbacks
    from ace.services.staging import Staging
    from ace.services.stewardship import Stewardship
    from ace.services.time_travel import TimeTravel
    from ace.services.worth import Appraisal


class Playbooks(Stores):
    """The use cases around a playbook."""

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
    def reviews(self) -> Reviews:
        from ace.services.review import Reviews

        return Reviews(store=self.store, queue=self.review_queue, curator=self.curator, clock=self.clock)

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
    def purge(self) -> Purge:
        from ace.services.purge import Purge

        return Purge(self.store, self.episodes, self.review_queue, self.clock)
