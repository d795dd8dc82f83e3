"""A bench from the command line: its folder, its progress, its table at the end.

The folder's name follows from what was asked, so the same command goes on with a run that was stopped.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ace.bootstrap import App
from ace.cli import present
from ace.core.bench_join import table as joined
from ace.core.validation import check_domain
from ace.errors import BudgetExhausted, InvalidInput
from ace.models.bench import Setting
from ace.models.run import Limits
from ace.services.bench_methods import METHODS
from ace.services.bench_plan import Plan, checked
from ace.services.bench_results import found
from ace.services.benching import Benching
from ace.utils import bench_tables
from ace.utils.bench_report import bench_report
from ace.utils.bench_room import read_run, write_found, write_table
from ace.utils.bench_tasks import distinct, load_data

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from ace.models.bench import BenchTable

One = TypeVar("One")


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What was asked for on the command line; empty names mean all."""

    targets: tuple[str, ...]
    data: Path | None
    methods: tuple[str, ...]
    settings: tuple[str, ...]
    seeds: int
    limit: int | None
    epochs: int
    validation: float
    test: float
    window: int
    concurrency: int
    run: str | None = None
    limits: Limits = field(default_factory=Limits)
    as_json: bool = False


class BenchDriver:
    """One bench being done; a context manager that holds the run folder and the language model."""

    def __init__(self, ask: Ask) -> None:
        self._ask, self._stack, self._stopped = ask, ExitStack(), ""
        self._app = App()
        sets = [load_data(target, data=ask.data, test=ask.test, validation=ask.validation, limit=ask.limit)
                for target in ask.targets]  # fmt: skip
        settings = _chosen("--settings", ask.settings, {one.value: one for one in Setting})
        self._plan = checked(
            Plan(
                datasets=distinct(sets),
                methods=_chosen("--methods", ask.methods, METHODS),
                settings=tuple(settings.values()),
                seeds=tuple(range(ask.seeds)),
                epochs=ask.epochs,
            )
        )

    @cached_property
    def run_id(self) -> str:
        """The folder's name: as asked for, or the data sets' names and a hash of everything that shapes the run."""
        if self._ask.run:
            return check_domain(self._ask.run)
        digest = hashlib.sha256(json.dumps(self._config, sort_keys=True).encode()).hexdigest()
        names = "-".join(data.name for data in self._plan.datasets)[:40]
        return f"bench-{names}-{digest[:8]}"

    @cached_property
    def _config(self) -> dict[str, Any]:
        plan, ask = self._plan, self._ask
        sets = [{"name": data.name, "metric": data.metric, "tasks": len(data.test), "train": len(data.train),
                 "validation": len(data.validation), "files": data.files, "notices": data.notices}
                for data in plan.datasets]  # fmt: skip
        asked = {"epochs": ask.epochs, "validation": ask.validation, "test": ask.test, "window": ask.window,
                 "limit": ask.limit}  # fmt: skip
        return {"kind": "bench", "datasets": sets, "methods": list(plan.methods), "settings_asked": list(plan.settings),
                "seeds": list(plan.seeds), **asked, **self._app.fingerprint()}  # fmt: skip

    def __enter__(self) -> Self:
        with ExitStack() as on_failure:
            on_failure.callback(self._stack.close)
            self._folder = self._stack.enter_context(self._app.run_folder(self.run_id, self._config))
            with present.status(quiet=self._ask.as_json) as say:
                room = self._app.bench_room(self._folder, self._ask.limits, say, window=self._ask.window)
                self._room, self._meter = self._stack.enter_context(room)
            on_failure.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def work(self) -> None:
        """Do what is not done, showing it; a limit reached ends it politely."""
        plan = self._plan
        total = sum(plan.answers(arm, phase) for arm in plan.arms() for phase in arm.phases)
        with present.Steps("bench", total, quiet=self._ask.as_json) as steps:
            try:
                for news in Benching(plan, self._room, concurrency=self._ask.concurrency).run():
                    steps.step(f"{news.arm.name} {news.phase}", news.done)
            except BudgetExhausted as error:
                self._stopped = str(error)

    def finish(self) -> None:
        """Judge what there is, write every output, and show the table."""
        path = self._folder.path
        write_found(path, *found(self._plan, self._room))
        run = read_run(path)
        table = joined([run])
        write_table(path, table)
        report = self._folder.write_report(bench_report([run], _about(), self._stopped))
        summary = self._summary(table) | {"report": str(report)}
        self._folder.write_summary(summary)
        if self._ask.as_json:
            print(json.dumps(summary))
            return
        _show(table, summary)

    def _summary(self, table: BenchTable) -> dict[str, Any]:
        spent = self._meter.spent
        return {"run": self.run_id, "folder": str(self._folder.path), "stopped": self._stopped,
                "usage": {**asdict(spent), "tokens": spent.tokens}, "table": bench_tables.to_json(table)}  # fmt: skip


def _show(table: BenchTable, summary: Mapping[str, Any]) -> None:
    header = ("Method", "GT labels", *bench_tables.columns_of(table))
    lines = [dict(zip(header, (cell.strip("*") for cell in line), strict=True))
             for line in bench_tables.paper_lines(table)]  # fmt: skip
    present.table("Percent right, and the difference to base in points", lines)
    for notice in table.notices:
        present.out.print(f"\n{notice}")
    usage = summary["usage"]
    present.out.print(f"\nCost: {usage['calls']} calls, {usage['tokens']:,} tokens, ${usage['cost_usd']:.2f}.")
    if summary["stopped"]:
        present.out.print(f"Stopped: {summary['stopped']} The same command with a higher limit goes on.")
    present.out.print(f"Report   {summary['report']}\nTables   {summary['folder']}/table.md  .csv  .json")


def _chosen(option: str, names: tuple[str, ...], known: Mapping[str, One]) -> dict[str, One]:
    """The rows of these names, in the table's order; all of them without any. Raises InvalidInput."""
    for name in names:
        if name not in known:
            raise InvalidInput(option, f"'{name}' is not known", f"Known: {', '.join(known)}")
    return {name: one for name, one in known.items() if not names or name in names}


def _about() -> dict[str, str]:
    return {name: method.about for name, method in METHODS.items()}
