"""The first quarter of an hour, walked in order on a server of its own; what each block says is looked at."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.walk import bash_blocks, walk
from tests.e2e.servers import Server, serving

ROOT = Path(__file__).parents[2]
BLOCKS = bash_blocks(ROOT / "docs/start.md")


@pytest.fixture
def server(tmp_path: Path, models_dir: Path) -> Iterator[Server]:
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir), ACE_MODEL="local") as running:
        lesson = {"insights": [{"content": "Question: [11.4] thousand RSUs Answer: GrantsInPeriod"}]}
        running.post("/v1/domains/demo/insights", lesson).raise_for_status()
        yield running


def test_the_first_quarter_of_an_hour_is_as_it_is_told(server: Server, tmp_path: Path) -> None:
    demo, look, serve, *rest = BLOCKS
    subprocess.run(["make", "-n", *demo.split()[1:]], cwd=ROOT, check=True, capture_output=True)
    assert serve == "ace serve\n"
    turned = {"localhost:8000": urlsplit(server.url).netloc}
    seen, _, asked, reported, read, again, used, shown, promoted, wrong, back = walk(
        [look, *rest], home=tmp_path, environment=server.environment, turned=turned
    )
    assert "RSUs" in seen
    assert json.loads(asked)["bullets"] == []
    assert json.loads(reported)["state"] == "queued"
    assert "1 added" in read
    (bullet,) = json.loads(again)["bullets"]
    assert "1 votes" in used
    assert all(word in shown for word in (bullet["id"], "+1 -0", "ticket-1", "increment"))
    assert json.loads(promoted)["stage"] == "staging"
    assert "Always refund at once" in wrong
    assert "release:good" not in back
    assert ", sound" in back
    assert server.ask("GET", "/v1/domains/support/bullets").json()["bullets"][0]["stage"] == "staging"
