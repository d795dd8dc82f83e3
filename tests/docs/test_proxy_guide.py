"""The proxy's guide, executed in order by the providers' own clients, before a provider that keeps what it got."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from ace.testing.providers import FakeProvider
from ace.web.proxy import app
from tests.e2e.servers import serving, wait_until

GUIDE = (Path(__file__).parents[2] / "docs/guides/proxy.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE, flags=re.M | re.S)
KEYS = {"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}
LESSON = "A pound is 0.4536 kg: multiply, then round to two places."


def test_every_example_is_short() -> None:
    assert len(BLOCKS) == 4 and all(len(block.splitlines()) < 15 for block in BLOCKS)


def test_the_guide_does_what_it_says(tmp_path: Path, models_dir: Path) -> None:
    with FakeProvider("It is 5.44 kg.") as provider:
        settings = {"ACE_UPSTREAM_OPENAI_URL": provider.url, "ACE_UPSTREAM_ANTHROPIC_URL": provider.url,
                    "ACE_MODELS_DIR": str(models_dir), "ACE_PROXY_PATIENCE_S": "5"}  # fmt: skip
        with serving(tmp_path, **settings) as server:
            server.post("/v1/domains/customer-a/insights", {"insights": [{"content": LESSON}]})
            chat, claude, report, keyed = BLOCKS
            program = "\n".join([claude, chat, report, keyed]).replace("http://localhost:8000", server.url)
            program = program.replace("ace_…", "ace_key")
            run = subprocess.run([sys.executable, "-c", program], env={**os.environ, **KEYS}, capture_output=True,
                                 text=True)  # fmt: skip
            assert run.returncode == 0, run.stderr
            episodes = "/v1/domains/customer-a/episodes"
            wait_until(lambda: server.ask("GET", episodes).json()["counts"]["queued"] == 3, 20)
        assert [seen.path for seen in provider.requests] == ["/v1/messages", *["/v1/chat/completions"] * 2]
        assert all(LESSON in seen.body.decode() for seen in provider.requests)


def test_every_reason_to_skip_is_told() -> None:
    told = re.findall(r"`([a-z-]+)`", next(line for line in GUIDE.splitlines() if line.startswith("| `ACE-Skipped`")))
    assert all(reason in str(app.__doc__) for reason in told)
