"""`scripts/memory_profiler.py`: who holds how much memory, and what grows.

servers    the resident memory of the running processes, measured from outside, twice
parts      what this code needs when it starts afresh: measured here, by loading one part after the other
domains    each domain's index: its vectors, its bytes in memory and in files, loaded here one at a time; with pgvector,
           which takes no memory here, its bytes in the database
url        what a server says about itself in /metrics

A running process cannot be asked from outside which part of it holds what; it holds the parts it has used. When its
memory is more than parts and indexes together, and goes on growing, something leaks.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from ace.ops.command import Json, megabytes, show
from ace.ops.processes import Growth, growth, read_metrics, running, sample
from ace.utils import commands


def memory_profiler(
    pid: Annotated[int | None, typer.Option("--pid", help="only this process and its children")] = None,
    url: Annotated[str | None, typer.Option("--url", help="a server, such as http://localhost:8000")] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0, help="between the two samples")] = 5.0,
    as_json: Json = False,
) -> None:
    """Show who holds how much memory: server processes and their growth, and each part and index by itself.

    Example: python scripts/memory_profiler.py --seconds 30
    """
    found = running(pid)
    first, told = sample(found), read_metrics(url) if url else {}
    started = time.monotonic()
    parts, domains = measure_parts()
    time.sleep(max(0.0, seconds - (time.monotonic() - started)))
    grown = growth(first, sample(found))
    told_again = read_metrics(url) if url else {}
    facts = {
        "servers": [asdict(one) for one in grown],
        "parts": parts,
        "domains": domains,
        "url": {name: [value, told_again.get(name, value)] for name, value in told.items()},
    }
    show(facts, as_json=as_json, lines=_lines(grown, facts, time.monotonic() - started))


def measure_parts() -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Bytes of resident memory each part adds to this process, and what each domain's index takes."""
    from ace.bootstrap import App

    app, marks = App(), {"python and ACE": _own()}
    domains = app.store.domains()
    marks["database"] = _own()
    app.embedder.embed(["a text to load the model with"])
    marks["embedding model"] = _own()
    indexes = {domain_id: _index(domain_id) for domain_id in domains}
    marks["index library, caches and what indexes left behind"] = _own()
    befores = [0, *marks.values()]
    sizes = {name: max(0, mark - before) for (name, mark), before in zip(marks.items(), befores, strict=False)}
    return sizes, indexes


def _index(domain_id: str) -> dict[str, int]:
    """Load one domain's index, see what it takes, and let go of it."""
    from ace.bootstrap import App
    from ace.utils import faiss_files
    from ace.utils.faiss_index import FaissManager

    app = App()
    index = app.plain_index
    vectors = index.get_index_size(domain_id)
    if not isinstance(index, FaissManager):
        return {"vectors": vectors, "memory": 0, "files": index.nbytes(domain_id)}
    index.load(domain_id)
    memory = index.loaded().get(domain_id, 0)
    index.unload(domain_id)
    return {"vectors": vectors, "memory": memory, "files": faiss_files.size(app.settings.path("indices"), domain_id)}


def _own() -> int:
    return sample([os.getpid()])[os.getpid()].resident


def _lines(grown: list[Growth], facts: dict[str, Any], seconds: float) -> list[str]:
    servers = [
        f"  {one.pid:>8}  {one.role:<16}{megabytes(one.resident):>12}  own {megabytes(one.own):>12}  "
        f"{one.grown / 2**20:+.1f} MB in {seconds:.0f} s"
        for one in grown
    ]
    parts = [f"  {name:<54}{megabytes(size):>12}" for name, size in facts["parts"].items()]
    domains = [
        f"  {name:<54}{megabytes(size['memory']):>12}  files {megabytes(size['files'])}, {size['vectors']:,} vectors"
        for name, size in facts["domains"].items()
    ]
    told = [f"  {name}: {first:,.0f} -> {then:,.0f}" for name, (first, then) in facts["url"].items()]
    return [
        "server processes",
        *(servers or ["  none found: name one with --pid"]),
        "parts of a fresh process",
        *parts,
        "indexes by domain",
        *(domains or ["  none"]),
        *(["what the server says of itself", *told] if told else []),
    ]


def main() -> None:
    commands.run(memory_profiler)


if __name__ == "__main__":
    main()
