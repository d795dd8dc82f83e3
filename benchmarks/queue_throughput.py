"""Tasks of a run done by 1, 2 and 4 workers: `python -m benchmarks.queue_throughput [WORKERS…]`, a line of JSON a case.

    learn      `ace learn FILE --queue`: each worker answers, reflects and merges, as they come
    train      `ace train FILE --queue`: batches of BATCH studied by the workers, merged by the run in its order

The model is scripted and takes CALL_S for each of a task's two calls, so that waiting, not this machine, is the limit.
Real processes of `ace-reflector`, one task at a time each, on one Postgres with pgvector; started before the clock is.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ace.repositories import schema
from ace.repositories.database import Database
from ace.testing.llm import ChatRequest, Reply, ScriptedLLM, say
from benchmarks.postgres import server
from benchmarks.world import MODELS
from tests.e2e.servers import stop, wait_until

TASKS, BATCH, CALL_S = 64, 16, 0.3
NUMBERS = itertools.count()


def clerk(request: ChatRequest) -> Reply:
    """Answers and teaches in CALL_S; each task's lesson is another."""
    item = re.findall(r"code of item (\w+)", request.prompt)[-1]
    if "lessons" in (request.schema or {}).get("properties", {}):
        lesson = {"section": "example", "content": f"Item {item} carries the number {item}-{item}.", "confidence": 0.9}
        return say(json.dumps({"tags": {}, "lessons": [lesson]}), delay_s=CALL_S)
    return say(json.dumps({"reasoning": "looked it up", "answer": "no idea", "cited": []}), delay_s=CALL_S)


@contextmanager
def working(count: int, home: Path, environment: dict[str, str]) -> Iterator[None]:
    """So many reflectors, each with a data directory of its own, up and idle."""
    with ExitStack() as stack:
        for number in range(count):
            own = environment | {"ACE_DATA_DIR": str(home / f"worker-{number}")}
            command = [sys.executable, "-m", "ace.workers.reflection"]
            log = stack.enter_context((home / f"worker-{number}.log").open("wb"))
            process = subprocess.Popen(command, env=own, stdout=log, stderr=log)
            stack.callback(stop, process)
        for number in range(count):
            wait_until(lambda n=number: (home / f"worker-{n}" / "reflector.alive").exists(), 120)
        yield


def ace(environment: dict[str, str], *words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "ace", *words, "--json"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def tasks(file: Path) -> Path:
    """Tasks that no earlier case has seen."""
    items = [f"x{next(NUMBERS)}" for _ in range(TASKS)]
    lines = [
        {"id": one, "question": f"What is the code of item {one}?", "ground_truth": f"{one}-{one}"} for one in items
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def measure(count: int, home: Path, environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    with working(count, home, environment):
        warm = (
            "learn",
            str(tasks(home / f"warm-{count}.jsonl")),
            "--domain",
            f"warm-{count}",
            "--limit",
            str(2 * count),
        )
        ace(environment, *warm, "--queue", "--wait")  # every worker has loaded its models
        train = ("--epochs", "1", "--validation", "0", "--batch", str(BATCH))
        for case, words in (("learn", ("--wait",)), ("train", train)):
            file = tasks(home / f"{case}-{count}.jsonl")
            started = time.perf_counter()
            told = ace(environment, case, str(file), "--domain", f"{case}-{count}", "--queue", *words)
            seconds = time.perf_counter() - started
            yield {"case": case, "workers": count, "tasks": TASKS, "seconds": seconds, "tasks_per_s": TASKS / seconds,
                   "added": told.get("added", told.get("learning", {}).get("added"))}  # fmt: skip


def main() -> None:
    with TemporaryDirectory() as name, ScriptedLLM(clerk) as llm, server() as url_of:
        url = url_of("throughput")
        database = Database(url)
        schema.upgrade(database)
        database.close()
        own = {"ACE_DATABASE_URL": url, "ACE_VECTOR_BACKEND": "pgvector", "ACE_DATA_DIR": f"{name}/run",
               "ACE_MODEL": "openai/clerk", "ACE_MODEL_BASE_URL": llm.url,
               "ACE_MODELS_DIR": str(MODELS.resolve())}  # fmt: skip
        environment = {**os.environ, **own}
        for count in map(int, sys.argv[1:] or ("1", "2", "4")):
            for case in measure(count, Path(name), environment):
                print(json.dumps({k: round(v, 2) if isinstance(v, float) else v for k, v in case.items()}), flush=True)


if __name__ == "__main__":
    main()
