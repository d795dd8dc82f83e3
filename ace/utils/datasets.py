"""Task files: loaded whole or refused with the file, line and field that is wrong; split by group, never within one.

format      recognised by                                     read by
ace         anything else (docs/task-format.md)               task_lines
finer       "context" and "target", asking for GAAP tags      paper_tasks
formula     "context" and "target", beginning "Use formula"   paper_tasks
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ace.errors import InvalidInput
from ace.models.task import Task
from ace.utils.json_lines import Row, parse_rows, read_bytes
from ace.utils.paper_tasks import is_paper_row, read_finer, read_formula
from ace.utils.task_lines import read_tasks, split_header

Reader = Callable[[Sequence[Row]], list[Task]]
READERS: Mapping[str, Reader] = {"ace": read_tasks, "finer": read_finer, "formula": read_formula}
DEMO = Path(__file__).parent.parent / "data" / "demo"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A task file's tasks, in its order. `sha256` is of the file's bytes; `about` is what its header says."""

    name: str
    path: Path
    format: str
    sha256: str
    tasks: tuple[Task, ...]
    about: str = ""


def load(path: Path | str, *, format: str = "auto") -> Dataset:  # noqa: A002  the word users know it by
    """Every task of a file. `format` is 'auto' or one of the table above. Raises InvalidInput."""
    file = Path(path)
    if format != "auto" and format not in READERS:
        raise InvalidInput("format", f"'{format}' is not a task format", f"Known: auto, {', '.join(READERS)}")
    data = read_bytes(file)
    rows = parse_rows(file, data)
    chosen = _detect(rows[0]) if format == "auto" else format
    tasks = READERS[chosen](rows)
    if not tasks:
        raise InvalidInput(str(file), "has a header and no tasks", "Put one task a line below it")
    name, about = _title(file, rows)
    return Dataset(
        name=name, path=file, format=chosen, sha256=hashlib.sha256(data).hexdigest(), tasks=tuple(tasks), about=about
    )


def split(
    tasks: Sequence[Task], *, seed: int, validation: float, train: float | None = None
) -> tuple[tuple[Task, ...], tuple[Task, ...]]:
    """`(train, validation)`: shares (0..1) of the tasks, in file order, no group in both.

    Whole groups are drawn in an order that the seed and the groups' names alone decide, until a part has its
    share; `train` takes all the rest unless it is given. Raises InvalidInput when a part would be empty.
    """
    wanted = _counts(len(tasks), validation, train)
    sizes = Counter(_group(task) for task in tasks)
    part: dict[str, int] = {}
    filled = [0, 0]
    for group in sorted(sizes, key=lambda name: hashlib.sha256(f"{seed}\0{name}".encode()).digest()):
        side = next((side for side in (0, 1) if filled[side] < wanted[side]), None)
        if side is not None:
            part[group], filled[side] = side, filled[side] + sizes[group]
    held, kept = (tuple(task for task in tasks if part.get(_group(task)) == side) for side in (0, 1))
    if not kept or (validation and not held):
        problem = f"of {validation:g} leaves a part empty: there are {len(sizes)} groups in {len(tasks)} tasks"
        raise InvalidInput("validation", problem, "Take another share or more tasks")
    return kept, held


def demo_files() -> tuple[Path, Path]:
    """The task set shipped with this package: the part to learn from, and the part held out."""
    return DEMO / "learn.jsonl", DEMO / "heldout.jsonl"


def _counts(n: int, validation: float, train: float | None) -> tuple[int, int]:
    rest = 1.0 - validation
    if not 0.0 <= validation < 1.0 or (train is not None and not 0.0 < train <= rest + 1e-9):
        raise InvalidInput("validation", "and train should be shares of 0 to 1, together at most 1", "Take 0.2 and 0.8")
    held = round(validation * n)
    return held, n - held if train is None else round(train * n)


def _group(task: Task) -> str:
    return task.group or task.id


def _detect(row: Row) -> str:
    if not is_paper_row(row):
        return "ace"
    prompt = row.text("context")
    if "US GAAP tags" in prompt:
        return "finer"
    if prompt.startswith("Use formula"):
        return "formula"
    raise row.fault("context", "is neither a FiNER nor a Formula prompt", "See docs/task-format.md for your own tasks")


def _title(file: Path, rows: Sequence[Row]) -> tuple[str, str]:
    header, _ = split_header(rows)
    if header is None:
        return file.stem, ""
    name, about = (header.checked(key, header.fields[key]) if key in header.fields else "" for key in ("name", "about"))
    return name or file.stem, about
