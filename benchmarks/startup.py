"""How long a shell waits: `import ace`, `ace --help`, the Curator ready. `python -m benchmarks.startup`"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from statistics import median

CASES = {
    "python_alone": [sys.executable, "-c", "pass"],
    "import_ace": [sys.executable, "-c", "import ace"],
    "ace_help": [sys.executable, "-m", "ace", "--help"],
    "curator_imported": [sys.executable, "-c", "import ace.curator.semantic_curator"],
}


def measure(command: list[str], runs: int = 11) -> float:
    """Median milliseconds of a whole process, after one run that fills the caches."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        taken.append(1000 * (time.perf_counter() - start))
    return median(taken[1:])


if __name__ == "__main__":
    print(json.dumps({name: round(measure(command), 1) for name, command in CASES.items()}))
