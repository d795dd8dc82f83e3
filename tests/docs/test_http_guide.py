"""The HTTP guide, executed in order against a real server; what each block answers is looked at."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ace.utils.episode_report import VERIFIERS
from tests.e2e.servers import Server, serving

GUIDE = (Path(__file__).parents[2] / "docs/guides/http.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```", GUIDE, flags=re.M | re.S)


@pytest.fixture
def server(tmp_path: Path, models_dir: Path) -> Iterator[Server]:
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir)) as running:
        yield running


def run(server: Server, block: str) -> str:
    """What the block prints, with the guide's address turned into the server's and `ace` into this environment's."""
    words = block.replace("localhost:8000", urlsplit(server.url).netloc)
    if words.startswith("ace "):
        return server.ace(*words.split("#")[0].replace('"', "").replace("support agent", "agent").split()[1:])
    return subprocess.run(["bash", "-ceu", words], capture_output=True, text=True, check=True).stdout


def test_the_guide_does_what_it_says(server: Server) -> None:
    start, ask, teach, report, key = BLOCKS
    assert start == "ace serve\n"
    assert json.loads(run(server, ask))["bullets"] == []
    assert [one["outcome"] for one in json.loads(run(server, teach))["outcomes"]] == ["added"]
    assert json.loads(run(server, teach))["position"] == 1, "the same key again changes nothing"
    (bullet,) = json.loads(run(server, ask))["bullets"]
    assert bullet["content"].startswith("Look for a pending authorisation")
    taken = json.loads(run(server, report))
    assert (taken["episode_id"], taken["state"], taken["new"]) == ("ticket-4711", "queued", True)
    assert run(server, key).startswith("ace_")


def test_every_verifier_is_in_the_table() -> None:
    shown = re.findall(r"`(\w+)`", GUIDE.split("| verifier |")[1].split("## Let")[0])
    assert set(shown) == set(VERIFIERS)
