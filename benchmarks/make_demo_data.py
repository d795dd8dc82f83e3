"""Make `ace/data/demo/` again from the paper's FiNER file: `python -m benchmarks.make_demo_data PATH/TO/dev.jsonl`.

The rule, fixed before any model saw the tasks:
1. the questions whose tag is one of the 24 most common of the file (ties by name), so that lessons can repeat,
   and whose text has at most 400 characters, so that five lessons fit a small model's context;
2. of each sentence the first question, so that no task is another one's twin;
3. groups of rows that share a sentence, in the order of SHA-256 over seed 0 and the group's name: whole groups
   go to the part to learn from until it has 100 tasks, the next ones to the part held out until it has 40.
All 139 tags of the original stay as options.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from ace.models.task import Task
from ace.utils.datasets import DEMO, load

COMMON_TAGS = 24
MAX_CHARS = 400
SEED = 0
LEARN, HELD_OUT = 100, 40
SOURCE = "From the FiNER part of the ACE paper's finance data, after FiNER-139 (Loukas et al. 2022); see LICENSE.md."


def chosen(tasks: Sequence[Task]) -> Iterator[Task]:
    """The tasks that rules 1 and 2 let in, in file order."""
    times = Counter(str(task.ground_truth) for task in tasks)
    common = sorted(times, key=lambda tag: (-times[tag], tag))[:COMMON_TAGS]
    sentences: set[str] = set()
    for task in tasks:
        sentence = task.question.replace("[", "").replace("]", "")
        if task.ground_truth in common and len(task.question) <= MAX_CHARS and sentence not in sentences:
            sentences.add(sentence)
            yield task


def parts(tasks: Sequence[Task]) -> tuple[list[Task], list[Task]]:
    """`(learn, held out)` by rule 3."""
    learn: list[Task] = []
    held: list[Task] = []
    for group in sorted({task.group for task in tasks}, key=lambda name: sha256(f"{SEED}\0{name}".encode()).digest()):
        part = learn if len(learn) < LEARN else held if len(held) < HELD_OUT else []
        part += [task for task in tasks if task.group == group]
    return learn, held


def lines(name: str, tasks: Sequence[Task]) -> Iterator[str]:
    """The part as a file in our format, what all tasks share in the first line."""
    shared = {"context": tasks[0].context, "options": tasks[0].options}
    yield json.dumps({"name": name, "about": SOURCE, "defaults": shared}, ensure_ascii=False)
    for task in tasks:
        yield json.dumps(
            {"id": task.id, "question": task.question, "ground_truth": task.ground_truth, "group": task.group},
            ensure_ascii=False,
        )


def make(source: Path, folder: Path) -> None:
    """Write learn.jsonl and heldout.jsonl into `folder`."""
    learn, held = parts(list(chosen(load(source).tasks)))
    for stem, name, tasks in (("learn", "FiNER demo", learn), ("heldout", "FiNER demo, held out", held)):
        (folder / f"{stem}.jsonl").write_text("\n".join(lines(name, tasks)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]), DEMO)
