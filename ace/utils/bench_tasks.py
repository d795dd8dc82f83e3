"""The task files of a bench, as parts to train on, to validate on and to test on.

    what is named                            its parts
    finer, formula                           the folder of that name under --data, else the files there that begin so
    demo, tickets                            the tasks of `ace demo`, and a small set of ours; shipped with ACE
    a folder                                 its files, told by a word in their names: train · val, dev · test
    a file                                   cut in two by whole groups: --test of it is tested on, the rest trained on
    a folder with one file                   the same
    no test file                             the validation file is tested on, and nothing is validated

The cut is the same for every seed of a bench. `--limit` takes the first tasks of every part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ace.errors import InvalidInput
from ace.models.bench import BenchData
from ace.models.task import AnswerKind, Task
from ace.utils.datasets import DEMO, Dataset, load, split

PAPER = ("finer", "formula")
SHIPPED: Mapping[str, Path] = {"demo": DEMO, "tickets": DEMO.parent / "bench" / "tickets.jsonl"}
WORDS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training", "learn"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "heldout"),
}
METRICS = {
    "finer": "the tag of one number exactly right",
    "formula": "the number right once rounded to two decimals",
}
CUT = 0  # the seed of every cut, so that all seeds of a bench are asked the same


def load_data(target: str, *, data: Path | None, test: float, validation: float, limit: int | None) -> BenchData:
    """The data set a word on the command line means. Raises InvalidInput naming what is missing."""
    files = _files(target, data)
    parts = {part: load(file) for part, file in files.items()}
    tasks = {part: found.tasks for part, found in parts.items()} if len(parts) > 1 else _cut(parts, test)
    if "test" not in tasks:
        tasks["test"] = tasks.pop("validation")
    elif "validation" not in tasks and validation and tasks["train"]:
        tasks["train"], tasks["validation"] = split(tasks["train"], seed=CUT, validation=validation)
    return BenchData(
        name=_name(target),
        metric=_metric(next(iter(parts.values()))),
        test=tasks["test"][:limit],
        train=tasks.get("train", ())[:limit],
        validation=tasks.get("validation", ())[:limit] if validation else (),
        files=tuple((found.path.name, found.sha256) for found in parts.values()),
    )


def _cut(parts: Mapping[str, Dataset], share: float) -> dict[str, tuple[Task, ...]]:
    """One file in two parts."""
    (only,) = parts.values()
    if share >= 1.0:
        return {"train": (), "test": only.tasks}
    train, test = split(only.tasks, seed=CUT, validation=share)
    return {"train": train, "test": test}


def _files(target: str, data: Path | None) -> dict[str, Path]:
    """The files by part; one file alone is not asked what it is."""
    place = Path(target) if Path(target).exists() else SHIPPED.get(target, Path(target))
    if place.is_file():
        return {"only": place}
    if place.is_dir():
        return _told_apart(place, sorted(place.glob("*.jsonl")))
    if target not in PAPER:
        raise InvalidInput(target, "is neither a file nor a folder", f"Known by name: {', '.join((*PAPER, *SHIPPED))}")
    if data is None:
        remedy = "Name the folder that holds it, such as eval/finance/data of the paper's repository"
        raise InvalidInput("--data", f"is missing, and {target} is not shipped with ACE", remedy)
    inside = data / target
    return _told_apart(inside, sorted(inside.glob("*.jsonl")) or sorted(data.glob(f"{target}*.jsonl")))


def _told_apart(place: Path, files: Sequence[Path]) -> dict[str, Path]:
    if not files:
        raise InvalidInput(str(place), "holds no .jsonl file", "Put train.jsonl and test.jsonl there, or one file")
    if len(files) == 1:
        return {"only": files[0]}
    found: dict[str, Path] = {}
    for file in files:
        words = set(re.split(r"[^a-z]+", file.stem.lower()))
        part = next((part for part, known in WORDS.items() if words & set(known)), None)
        if part is None or part in found:
            problem = "has no word of train, val or test" if part is None else f"and {found[part].name} are both {part}"
            raise InvalidInput(str(file), problem, "Keep one file for each part, named after it")
        found[part] = file
    if "test" not in found and "validation" not in found:
        raise InvalidInput(str(place), "has nothing to test on", "Add test.jsonl")
    return {part: found[part] for part in WORDS if part in found}


def _name(target: str) -> str:
    """What the data set is called in tables and domains."""
    name = re.sub(r"[^a-z0-9-]+", "-", Path(target).resolve().stem.lower()).strip("-")
    return name[:20] or "tasks"


def _metric(dataset: Dataset) -> str:
    if dataset.format in METRICS:
        return METRICS[dataset.format]
    kinds = {task.kind for task in dataset.tasks}
    if kinds == {AnswerKind.NUMBER}:
        return "the number right once rounded to the task's decimals"
    return "the answer equal, case and outer punctuation aside" if kinds == {AnswerKind.TEXT} else "by each task's kind"


def distinct(found: Sequence[BenchData]) -> tuple[BenchData, ...]:
    """The same data sets with names of their own: the second `tasks` is `tasks-2`."""
    names: list[str] = []
    for data in found:
        same = sum(name == data.name or name.startswith(f"{data.name}-") for name in names)
        names.append(data.name if data.name not in names else f"{data.name}-{same + 1}")
    return tuple(replace(data, name=name) for data, name in zip(found, names, strict=True))
