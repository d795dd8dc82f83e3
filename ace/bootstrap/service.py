"""What a server and its workers are made of: keys, receipts, intake, budgets, health, backups, and what they show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from ace.bootstrap.playbooks import Playbooks
from ace.models.playbook import Selection, Traffic

if TYPE_CHECKING:
    from ace.core.exposure import Shares
    from ace.services.advising import Advising
    from ace.services.backups import Backups
    from ace.services.budgets import Budgets
    from ace.services.gathering import Gathering
    from ace.services.health import HealthCheck
    from ace.services.keys import Keys
    from ace.services.overhearing import Overhearing
    from ace.services.receipts import Receipts
    from ace.services.sessions import Sessions


HEALTH_PATIENCE_S = 0.7  # /health answers within a second, also when the database hangs
INDEX_PATIENCE_S = 0.25  # of which the index has so much, where it is in the database


class Service(Playbooks):
    """The use cases of whoever serves."""

    @cached_property
    def version(self) -> str:
        from ace import __version__

        return __version__

    @cached_property
    def commit(self) -> str | None:
        from ace.utils.git_commit import commit

        return self.settings.commit or commit()

    @cached_property
    def keys(self) -> Keys:
        from ace.repositories.key_repository import KeyRepository
        from ace.services.keys import Keys

        return Keys(KeyRepository(), self.clock, os.urandom)

    @cached_property
    def sessions(self) -> Sessions:
        from ace.repositories.key_repository import SecretRepository
        from ace.services.sessions import Sessions

        return Sessions(self.keys, SecretRepository(), self.clock, os.urandom)

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
    def budgets(self) -> Budgets:
        from ace.models.run import Limits
        from ace.repositories.usage_repository import UsageRepository
        from ace.services.budgets import Budgets

        given = self.settings
        limits = Limits(calls=given.domain_calls_per_day, tokens=given.domain_tokens_per_day,
                        cost_usd=given.domain_usd_per_day)  # fmt: skip
        return Budgets(UsageRepository(), self.clock, limits)

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

    @cached_property
    def backups(self) -> Backups:
        from ace.repositories.replayed import JournalReplayer
        from ace.services.backups import Backups
        from ace.utils.backup_files import JsonLinesBackups

        return Backups(files=JsonLinesBackups(), replayer=JournalReplayer(), clock=self.clock, release=self.version)

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
