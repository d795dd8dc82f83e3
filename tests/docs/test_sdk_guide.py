"""The guide of the Python door, executed in order, in a process of its own beside a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.servers import SHOWN_TO_ALL, serving

GUIDE = (Path(__file__).parents[2] / "docs/guides/sdk.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE, flags=re.M | re.S)
BEFORE = """
def ask_model(prompt):
    return "5.44 kg"

async def ask_model_async(prompt):
    return ask_model(prompt)
"""
AFTER = """
import asyncio
assert asyncio.run(answer("How many kilograms are 12 lb?")) == "5.44 kg"
"""


def test_every_example_is_short() -> None:
    assert all(len(block.splitlines()) < 15 for block in BLOCKS)


def test_the_guide_does_what_it_says(tmp_path: Path, models_dir: Path) -> None:
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir)) as server:
        places, *rest = BLOCKS
        places = places.replace("http://localhost:8000", server.url).replace(', key="ace_…"', "")
        home = {"ACE_DATA_DIR": str(tmp_path / "own"), "ACE_MODELS_DIR": str(models_dir), "ACE_ENV": "shadow"}
        for block in (places, places + 'playbook = Playbook("customer-a")\n'):
            program = "\n".join([BEFORE, block, *rest, AFTER])
            run = subprocess.run([sys.executable, "-c", program], env={**os.environ, **home, **SHOWN_TO_ALL},
                                 capture_output=True, text=True)  # fmt: skip
            assert run.returncode == 0, run.stderr
            assert run.stdout.startswith("Convert pounds to kilograms before adding weights. 1 Interval(")
