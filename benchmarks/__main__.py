"""Every benchmark, one after the other; each prints JSON lines."""

from __future__ import annotations

import subprocess
import sys

SCRIPTS = ("startup", "embedding", "retrieval", "merge", "curator_pairs", "backup", "http_context", "proxy")

for script in SCRIPTS:
    print(f"\n# {script}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{script}"], check=True)
