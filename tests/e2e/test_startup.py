"""What starting costs, told by what is imported: the clock is for the benchmarks."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "sqlalchemy", "faiss", "onnxruntime", "dspy", "fastapi", "granian", "prometheus_client", "structlog",
         "opentelemetry", "obstore", "jinja2", "pydantic", "rich", "httpx")  # fmt: skip


@pytest.mark.parametrize("module", ["ace", "ace.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
