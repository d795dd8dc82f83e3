"""The guide about traces, executed in order: an exporter beside a real server, and files as other tools write them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ace.config import Settings
from ace.core.traces import MAX_TEXT_CHARS
from ace.models.trace import TraceSource
from tests.e2e.nursery import nursery
from tests.e2e.servers import serving

PAGE = Path(__file__).parents[2] / "docs/guides/traces.md"
GUIDE = PAGE.read_text()
EXPORTS = Path(__file__).parents[1] / "exports"
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, flags=re.M | re.S))  # the last of each language
GIVEN = {"langfuse.jsonl": "langfuse-table.jsonl", "phoenix.jsonl": "phoenix-download.jsonl",
         "spans.jsonl": "otlp-collector.jsonl"}  # fmt: skip


def test_the_guide_does_what_it_says(tmp_path: Path, models_dir: Path) -> None:
    (tmp_path / "chats.jsonl").write_text(BLOCKS["json"])
    for name, export in GIVEN.items():
        shutil.copy(EXPORTS / export, tmp_path / name)
    shutil.copytree(EXPORTS, tmp_path / "exports")
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir), ACE_MODEL="local") as server:
        address = f"{server.url}/otlp/support"
        run = subprocess.run([sys.executable, "-c", BLOCKS["python"]], capture_output=True, text=True,
                             env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": address})  # fmt: skip
        assert (run.returncode, run.stderr) == (0, "")
        (sent,) = server.ask("GET", "/v1/domains/support/episodes").json()["episodes"]
        assert sent["episode_id"].startswith("otlp-") and sent["state"] == "queued"
        told = [ace(line, tmp_path, server.environment) for line in BLOCKS["bash"].splitlines()]
        shown = ace("ace playbook show --domain support", tmp_path, server.environment)
    counted = [(one["read"], one["new"], one["known"], one["changed"], one["skipped"]) for one in told]
    assert counted[:4] == [(1, 1, 0, 0, 0), (1, 1, 0, 0, 0), (3, 3, 0, 0, 0), (1, 0, 1, 0, 0)]
    assert (told[1]["done"], told[1]["added"]) == (1, 1)
    assert told[4]["read"] == 5 and told[4]["judged"] == 0, "none of them has a score of that name"
    assert [one["origin"]["episode_id"] for one in shown] == ["chats-ticket-4711"]


def ace(line: str, home: Path, environment: dict[str, str]) -> Any:
    words = [word for word in shlex.split(line)[1:] if word != "--json"]
    done = nursery().run(*words, "--json", cwd=home, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_source_has_a_row() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.M)) == set(TraceSource) - {TraceSource.PROXY}


def test_the_numbers_are_those_of_the_code() -> None:
    fields = Settings.model_fields
    told = {name: fields[name].default for name in ("trace_settle_s", "trace_quiet_s", "otlp_max_body_bytes")}
    assert told == {"trace_settle_s": 10, "trace_quiet_s": 120, "otlp_max_body_bytes": 16_000_000}
    assert f"{MAX_TEXT_CHARS:,} characters" in GUIDE
    for words in ("`ACE_TRACE_SETTLE_S` (10 s)", "`ACE_TRACE_QUIET_S` (120 s)", "`ACE_OTLP_MAX_BODY_BYTES` (16 MB)"):
        assert words in GUIDE


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http|#)([^)#]+)", GUIDE))))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (PAGE.parent / link).exists()
