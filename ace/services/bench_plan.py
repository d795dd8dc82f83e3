"""What is to be done for a bench: the cells of its table, and the arms that fill them.

    cell                             its arm                                     looks at
    no learning (base)               nothing learned                             TEST
    offline                          TRAIN, TEST                                 TEST
    online                           STREAM                                      STREAM
    online, warm                     TRAIN, (TEST,) STREAM                       STREAM

Cells that need the same memory, trained alike, share an arm: `ace` offline and `ace-warm` online pay for one training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ace.errors import InvalidInput
from ace.models.bench import Arm, BenchData, Cell, Phase, Setting
from ace.models.task import Task
from ace.services.bench_methods import Method


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What was asked for. `methods` are rows of the table of methods, by name."""

    datasets: tuple[BenchData, ...]
    methods: Mapping[str, Method]
    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]
    epochs: int

    def data(self, name: str) -> BenchData:
        return next(one for one in self.datasets if one.name == name)

    def cells(self) -> Iterator[Cell]:
        """Every figure there will be, in the order of the table."""
        for data in self.datasets:
            for seed in self.seeds:
                for name, method in self.methods.items():
                    for setting in self._settings(method):
                        yield Cell(dataset=data.name, seed=seed, setting=setting, method=name)

    def arms(self) -> list[Arm]:
        """What fills them, each once."""
        found: dict[str, Arm] = {}
        for cell in self.cells():
            arm = self.arm(cell)
            known = found.get(arm.name, arm)
            phases = tuple(phase for phase in Phase if phase in {*known.phases, *arm.phases})
            found[arm.name] = replace(arm, phases=phases)
        return list(found.values())

    def arm(self, cell: Cell) -> Arm:
        """The arm of one cell, with the phases that this cell needs."""
        method, data = self.methods[cell.method], self.data(cell.dataset)
        fresh = Arm(dataset=cell.dataset, seed=cell.seed, memory=method.memory, labels=True, phases=(Phase.TEST,))
        if cell.setting is None:
            return fresh
        arm = replace(fresh, labels=cell.setting.labels)
        if cell.setting.online and not method.warm:
            return replace(arm, phases=(Phase.STREAM,))
        epochs, measured = method.epochs or self.epochs, Phase.STREAM if method.warm else Phase.TEST
        validated = method.epochs is None and arm.labels and bool(data.validation)
        return replace(arm, epochs=epochs, validated=validated, phases=(Phase.TRAIN, measured))

    def tasks(self, arm: Arm, phase: Phase) -> tuple[Task, ...]:
        """What an arm is given in a phase; without labels, nothing that says what is right."""
        data = self.data(arm.dataset)
        tasks = data.train if phase == Phase.TRAIN else data.test
        return tasks if arm.labels and phase != Phase.TEST else tuple(blind(task) for task in tasks)

    def answers(self, arm: Arm, phase: Phase) -> int:
        """How many tasks are done in a phase, validation aside."""
        return len(self.tasks(arm, phase)) * (arm.epochs if phase == Phase.TRAIN else 1)

    def make(self, arm: Arm) -> Method:
        """The method whose learner this arm is."""
        return next(method for method in self.methods.values() if method.memory == arm.memory)

    def _settings(self, method: Method) -> tuple[Setting | None, ...]:
        if not method.learns:
            return (None,)
        return tuple(setting for setting in self.settings if setting in method.settings)


def blind(task: Task) -> Task:
    """The task without its right answer."""
    return replace(task, ground_truth=None)


def checked(plan: Plan) -> Plan:
    """The plan itself. Raises InvalidInput for what cannot be compared."""
    for data in plan.datasets:
        unknown = next((task.id for task in (*data.test, *data.train) if task.ground_truth is None), None)
        if unknown is not None:
            raise InvalidInput(f"{data.name}, task {unknown}", "has no ground_truth", "A bench judges every answer")
        if not data.train and any(Phase.TRAIN in arm.phases for arm in plan.arms()):
            raise InvalidInput(f"{data.name}", "has no train part, which offline learning needs",
                               "Add train.jsonl, take a smaller --test, or --settings online")  # fmt: skip
    if not any(True for _ in plan.cells()):
        raise InvalidInput("--methods", "none of them fits the settings", "See: ace bench methods")
    return plan
