"""Where a bench keeps its records: beside the run's own, a run folder for each phase of each arm.

arms/<arm>/<phase>/       steps, lessons, answers, validations of that phase
calls.jsonl               every model call of all arms: what it was for, the raw answer, its tokens
playbooks.db, indices/    the playbooks, a domain for each arm
outcomes.jsonl            every answer of every cell, judged
spendings.jsonl           what each cell took
table.md .csv .json       the table
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ace.core.ports import Clock, PlaybookStore, RunLog
from ace.core.records import to_line
from ace.errors import InvalidInput
from ace.models.bench import Arm, BenchRun, BenchSet, BenchTable, Outcome, Phase, Spending, Tested
from ace.models.run import Lesson, StepRecord
from ace.models.task import Task
from ace.services.bench_learners import Kit
from ace.services.benching import Behind
from ace.services.training import ValidationAnswer
from ace.system import private
from ace.utils import bench_tables
from ace.utils.files import write_atomic
from ace.utils.run_folder import RunFolder, RunReader

Record = TypeVar("Record")
KitOf = Callable[[Arm, Sequence[Task], Behind, bool], Kit]
VARYING = ("kind", "datasets", "methods", "settings_asked", "seeds")
"""What runs may differ in and still be pooled."""


class BenchRoom:
    """The arms of one run: `ace.services.benching.Room` and `ace.services.bench_results.Records`."""

    def __init__(self, path: Path, *, store: PlaybookStore, clock: Clock, kit_of: KitOf) -> None:
        self._path, self.store, self.clock, self._kit_of = path, store, clock, kit_of

    @contextmanager
    def log(self, arm: Arm, phase: Phase) -> Iterator[RunLog]:
        with RunFolder.open(self._folder(arm, phase), {"kind": f"bench {phase}", "domain": arm.name}) as folder:
            yield folder

    def kit(self, arm: Arm, tasks: Sequence[Task], behind: Behind, *, reading: bool) -> Kit:
        return self._kit_of(arm, tasks, behind, reading)

    def steps(self, arm: Arm, phase: Phase) -> list[StepRecord]:
        return self._read(arm, phase, "steps", StepRecord)

    def lessons(self, arm: Arm, phase: Phase) -> list[Lesson]:
        return self._read(arm, phase, "lessons", Lesson)

    def tested(self, arm: Arm, phase: Phase) -> list[Tested]:
        return self._read(arm, phase, "answers", Tested)

    def validated(self, arm: Arm, phase: Phase) -> list[ValidationAnswer]:
        return self._read(arm, phase, "validation_answers", ValidationAnswer)

    def _folder(self, arm: Arm, phase: Phase) -> Path:
        return self._path / "arms" / arm.name / phase.value

    def _read(self, arm: Arm, phase: Phase, kind: str, record_type: type[Record]) -> list[Record]:
        folder = self._folder(arm, phase)
        return RunReader(folder).read(kind, record_type) if (folder / "run.json").exists() else []


def write_found(folder: Path, outcomes: Sequence[Outcome], spendings: Sequence[Spending]) -> None:
    """Replace what a run has found. Raises StoreUnavailable."""
    for name, records in (("outcomes", outcomes), ("spendings", spendings)):
        write_atomic(folder / f"{name}.jsonl", "".join(f"{to_line(record)}\n" for record in records), mode=private.FILE)


def write_table(folder: Path, table: BenchTable) -> None:
    """Replace the table in its three forms. Raises StoreUnavailable."""
    write_atomic(folder / "table.md", bench_tables.markdown(table), mode=private.FILE)
    write_atomic(folder / "table.csv", bench_tables.comma_separated(table), mode=private.FILE)
    write_atomic(folder / "table.json", bench_tables.as_json(table), mode=private.FILE)


def read_run(folder: Path) -> BenchRun:
    """What a run found. Raises NotFound, and InvalidInput for a folder that is no bench's."""
    reader = RunReader(folder)
    config: dict[str, Any] = reader.config
    if config.get("kind") != "bench":
        raise InvalidInput(str(folder), f"is a run of '{config.get('kind')}'", "Name runs of ace bench")
    return BenchRun(
        name=folder.name,
        model=str(config["settings"]["model"]),
        shape={name: value for name, value in _flat(config).items() if name not in VARYING},
        datasets=tuple(_set(one) for one in config["datasets"]),
        methods=tuple(config["methods"]),
        seeds=tuple(config["seeds"]),
        outcomes=tuple(reader.read("outcomes", Outcome)),
        spendings=tuple(reader.read("spendings", Spending)),
    )


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    settings = {f"settings.{name}": value for name, value in config["settings"].items() if name != "seed"}
    return {**{name: value for name, value in config.items() if name != "settings"}, **settings}


def _set(told: dict[str, Any]) -> BenchSet:
    files = tuple((str(name), str(sha256)) for name, sha256 in told["files"])
    return BenchSet(name=told["name"], metric=told["metric"], tasks=told["tasks"], files=files,
                    notices=tuple(told["notices"]))  # fmt: skip
