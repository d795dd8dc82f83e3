"""A load generator in a process of its own: `wrk` where it is installed, otherwise raw sockets on one event loop.

`python -m benchmarks.load URL CLIENTS SECONDS BODIES` posts the lines of a file in turn, each client as soon as it has
its answer, and prints requests, seconds, p50_ms, p95_ms, p99_ms and errors (anything but 200) as JSON. The sockets'
client takes about 0.05 ms of a core a request, wrk 0.01 ms.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

SCRIPT = Path(__file__).parent / "load.lua"


def load(url: str, *, clients: int, seconds: float, bodies: Path) -> dict[str, float]:
    """What this load got answered, measured by a process of its own."""
    given = [url, str(clients), str(round(seconds)), str(bodies)]
    command = _wrk(*given) if shutil.which("wrk") else [sys.executable, "-m", "benchmarks.load", *given]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(out.strip().splitlines()[-1])
    return {"qps": found["requests"] / found["seconds"], **{key: found[key] for key in found if key.startswith("p")},
            "errors": found["errors"]}  # fmt: skip


def _wrk(url: str, clients: str, seconds: str, bodies: str) -> list[str]:
    return ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "-s", str(SCRIPT), url, "--", bodies]


async def _client(url: str, bodies: Iterator[bytes], end: float, taken: list[float], errors: list[int]) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
    while time.perf_counter() < end:
        body = next(bodies)
        start = time.perf_counter()
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.findall(rb"(?i)content-length: (\d+)", answer)[0]))
        taken.append(time.perf_counter() - start)
        errors[0] += b" 200 " not in answer[:16]
    writer.close()


async def _sockets(url: str, clients: int, seconds: float, bodies: Path) -> dict[str, float]:
    lines = itertools.cycle(bodies.read_bytes().splitlines())
    taken, errors, start = list[float](), [0], time.perf_counter()
    await asyncio.gather(*(_client(url, lines, start + seconds, taken, errors) for _ in range(clients)))
    cuts = [1000 * cut for cut in quantiles(taken, n=100)]
    return {"requests": len(taken), "seconds": time.perf_counter() - start, "p50_ms": cuts[49], "p95_ms": cuts[94],
            "p99_ms": cuts[98], "errors": errors[0]}  # fmt: skip


if __name__ == "__main__":
    url, clients, seconds, bodies = sys.argv[1:]
    print(json.dumps(asyncio.run(_sockets(url, int(clients), float(seconds), Path(bodies)))))
