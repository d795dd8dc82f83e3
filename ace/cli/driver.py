"""A run from the command line: its folder, its parts shown as they go, its figures at the end.

The folder's name follows from what was asked, so the same command finds the same folder and goes on with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ace.cli import present
from ace.config import get_settings
from ace.core.validation import check_domain
from ace.errors import BudgetExhausted
from ace.models.run import Limits, StepRecord, Validation

if TYPE_CHECKING:
    from types import TracebackType

    from ace.models.task import Task
    from ace.services.training import Curriculum, Kept
    from ace.utils.datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class Job:
    """What was asked for on the command line; together with the settings and the files' hashes it names the run."""

    kind: str
    files: tuple[Path, ...]
    domain: str
    run: str | None = None
    seed: int = 0
    limit: int | None = None
    more: dict[str, Any] = field(default_factory=dict)
    as_json: bool = False
    queue: bool = False  # tasks are studied by workers; what comes of it is the same
    settings: dict[str, Any] = field(default_factory=dict)


def unused_run(name: str) -> str:
    """`name`, or `name-2`, `name-3`, …: the first whose run folder does not exist."""
    taken = get_settings().path("runs")
    names = (name if number == 1 else f"{name}-{number}" for number in range(1, 1_000_000))
    return next(candidate for candidate in names if not (taken / candidate).exists())


class Run:
    """One job being done; a context manager that holds the run folder and the language model."""

    def __init__(self, job: Job, limits: Limits) -> None:
        from ace.bootstrap import App
        from ace.utils.datasets import load

        check_domain(job.domain)
        self._job, self._limits, self._stack, self._stopped = job, limits, ExitStack(), ""
        self._app = App(get_settings().model_copy(update=job.settings))
        self._datasets: dict[Path, Dataset] = {file: load(file) for file in job.files}
        self._extra: dict[str, Any] = {}

    @cached_property
    def run_id(self) -> str:
        """The folder's name: as asked for, or kind, file and a hash of everything that shapes the run."""
        if self._job.run:
            return check_domain(self._job.run)
        digest = hashlib.sha256(json.dumps(self._config, sort_keys=True).encode()).hexdigest()
        return f"{self._job.kind}-{self._job.files[0].stem.lower()}-{digest[:8]}"

    @cached_property
    def _config(self) -> dict[str, Any]:
        files = [{"name": str(file.name), "sha256": data.sha256} for file, data in self._datasets.items()]
        asked = {"kind": self._job.kind, "domain": self._job.domain, "seed": self._job.seed, "limit": self._job.limit}
        return {**asked, **self._job.more, "files": files, **self._app.fingerprint()}

    def __enter__(self) -> Self:
        folder = self._app.run_folder(self.run_id, self._config)
        self._folder = self._stack.enter_context(folder)
        with present.status() as say:
            workers = self._app.assigning(self._job.domain, self.run_id) if self._job.queue else None
            self._workshop = self._stack.enter_context(self._app.workshop(self._folder, self._limits, say, workers))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """A line for people."""
        if not self._job.as_json:
            present.err.print(text)

    def tasks(self, file: Path) -> tuple[Task, ...]:
        """The tasks of a file, cut at `--limit`."""
        return self._datasets[file].tasks[: self._job.limit]

    def split(self, tasks: Sequence[Task], share: float) -> tuple[tuple[Task, ...], tuple[Task, ...]]:
        """Training and validation tasks; a group is never parted."""
        from ace.utils.datasets import split

        return split(tasks, seed=self._job.seed, validation=share)

    def curriculum(self, tasks: Sequence[Task]) -> Curriculum:
        """One pass over the tasks, one after the other."""
        from ace.services.training import Curriculum

        return Curriculum(run_id=self.run_id, domain_id=self._job.domain, train=tuple(tasks), seed=self._job.seed)

    def learn(self, plan: Curriculum) -> None:
        """Learn, showing each step; a limit reached ends it politely."""
        with present.Tally("learning", len(plan.train) * plan.epochs) as tally:
            try:
                for event in self._workshop.training.run(plan):
                    self._show(event, tally)
            except BudgetExhausted as error:
                self._stopped = str(error)

    def _show(self, event: StepRecord | Validation | Kept, tally: present.Tally) -> None:
        if isinstance(event, StepRecord):
            tally.step(event.correct, f"{event.bullets} bullets")
        elif isinstance(event, Validation):
            self.say(f"  epoch {event.epoch}: validation {event.correct}/{event.n} right ({event.accuracy:.0%})")
        elif event.note:
            self.say(f"  kept: {event.note}")

    def compare(self, tasks: Sequence[Task], workers: int) -> None:
        """Answer the tasks without and with the playbook; a limit reached ends it politely."""
        if self._stopped:
            return
        from ace.services.evaluation import evaluate

        with present.Tally("comparing", len(tasks)) as tally:
            try:
                learning, log = self._workshop.learning, self._folder
                for pair in evaluate(tasks, self._job.domain, learning=learning, log=log, workers=workers):
                    tally.step(pair.with_playbook.correct, "with the playbook")
            except BudgetExhausted as error:
                self._stopped = str(error)

    def baseline(self, seen: Iterable[Task], tasks: Sequence[Task]) -> None:
        """Add the baseline that needs no model: copy the answer of the nearest task seen."""
        from dataclasses import asdict

        from ace.core.statistics import share
        from ace.services.evaluation import copied_answers

        self._extra["copying_nearest"] = asdict(
            share(copied_answers(list(seen), tasks, self._app.embedder), len(tasks))
        )

    def finish(self, *, next_steps: bool = False) -> None:
        """Write summary and report, and show the figures."""
        from ace.services.summary import summarise

        summary = {"run": self.run_id, "domain": self._job.domain, **summarise(self._folder), **self._extra}
        summary["stopped"] = self._stopped
        self._folder.write_summary(summary)
        report = self._app.write_report(self._folder, self._job.domain)
        summary |= {"report": str(report), "folder": str(self._folder.path)}
        if self._job.as_json:
            print(json.dumps(summary))
            return
        learned = self._app.store.get_all(self._job.domain)
        present.results(summary, learned, next_steps=next_steps)
