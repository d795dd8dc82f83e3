"""A page's bash blocks, run one after the other in one shell, as somebody does who copies and pastes.

turned   what stands on the page -> what stands for it here: the server's address, a folder
said     what each block printed, in the order of the page
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

BASH = re.compile(r"^```bash\n(.*?)^```", re.M | re.S)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
MARK = "--- next block ---"


def bash_blocks(page: Path) -> list[str]:
    return BASH.findall(page.read_text())


def python_blocks(page: Path) -> list[str]:
    return PYTHON.findall(page.read_text())


def run_python(code: str, *, home: Path, environment: Mapping[str, str]) -> str:
    """What this program prints."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=home, env=dict(environment),
                          capture_output=True, text=True, timeout=240)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def walk(blocks: Sequence[str], *, home: Path, environment: Mapping[str, str], turned: Mapping[str, str]) -> list[str]:
    """What each block said. A command that fails ends it, with everything that was said until then."""
    script = f"\necho; echo '{MARK}'\n".join(blocks)
    for shown, here in turned.items():
        script = script.replace(shown, here)
    if not (home / ".venv").exists():
        (home / ".venv").symlink_to(sys.prefix)
    path = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{environment.get('PATH', os.environ['PATH'])}"
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=home, env={**environment, "PATH": path},
                          capture_output=True, text=True, timeout=240)  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.split(MARK)
