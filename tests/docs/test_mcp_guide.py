"""The guide for agents that speak MCP: Claude Code itself connects as it says, and so does the library's client."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ace.integrations.mcp_tools import OFFERS
from tests.e2e.servers import Server, serving
from tests.e2e.talks import over_http, over_stdio

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/mcp.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, flags=re.M | re.S)
COMMANDS = [shlex.split(body) for language, body in BLOCKS if language == "bash"]
LOCAL, TEAM = (words[1:] for words in COMMANDS if words[0] == "claude")
CONFIGS = [json.loads(body) for language, body in BLOCKS if language == "json"]
(PROGRAM,) = (body for language, body in BLOCKS if language == "python")
IMPORTS = "import asyncio\nfrom mcp import Client\n"


def test_every_example_is_short() -> None:
    assert all(len(body.splitlines()) < 15 for _, body in BLOCKS)


def test_the_extras_are_those_of_the_package() -> None:
    (asked,) = (words[2] for words in COMMANDS if words[0] == "pip")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name, extras = re.fullmatch(r"(.+)\[(.+)\]", asked).groups()  # type: ignore[union-attr]
    assert name == project["name"] and set(extras.split(",")) <= project["optional-dependencies"].keys()


def test_every_tool_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", GUIDE, flags=re.M)
    assert rows == [(offer.name, str(offer.role)) for offer in OFFERS]


class Reader:
    """Somebody who does what the guide says, with Claude Code in a home and a project of its own."""

    def __init__(self, home: Path, server: Server, models: Path) -> None:
        self.home, self.server = home, server
        for folder in ("home", "project"):
            (home / folder).mkdir()
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        own = {"HOME": str(home / "home"), "PATH": path, "ACE_MODELS_DIR": str(models), "ACE_ENV": "shadow",
               "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}  # fmt: skip
        self.environment = {**os.environ, **own, "ACE_DATA_DIR": str(home / "own")}

    def claude(self, *words: str) -> str:
        spec = find_spec("claude_agent_sdk")
        program = Path(str(spec.origin)).parent / "_bundled" / "claude" if spec else Path("none")
        if not program.exists():
            pytest.skip("Claude Code is not here: its SDK brings it on Linux and macOS")
        done = subprocess.run([program, *words], env=self.environment, cwd=self.home / "project", text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def here(self, text: str) -> str:
        """As it is written, with this server's address and the key."""
        told = text.replace("http://localhost:8000", self.server.url)
        return re.sub(r"\$\{(env:)?ACE_API_KEY\}|\$ACE_API_KEY|ace_…", self.environment["ACE_API_KEY"], told)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Reader]:
    """Before there are keys the program has run; then there is one, as the guide says."""
    home = tmp_path_factory.mktemp("mcp-guide")
    with serving(home, ACE_MODELS_DIR=str(models_dir)) as server:
        made = Reader(home, server, models_dir)
        program = IMPORTS + PROGRAM.replace("http://localhost:8000", server.url)
        subprocess.run([sys.executable, "-c", program], env=made.environment, check=True, capture_output=True)
        (create,) = re.findall(r"`ace (keys create [^`]*)`", GUIDE)
        made.environment["ACE_API_KEY"] = json.loads(server.ace(*create.split(), "--json"))["token"]
        yield made


def test_the_program_has_reported(reader: Reader) -> None:
    asked = reader.server.ask("GET", "/v1/domains/customer-a/episodes", key=reader.environment["ACE_API_KEY"])
    assert asked.json()["counts"]["queued"] == 1


def test_claude_code_connects(reader: Reader) -> None:
    for words in (LOCAL, TEAM):
        reader.claude(*(reader.here(word) for word in words))
    listed = reader.claude("mcp", "list")
    assert re.findall(r"^([\w-]+): .*✔ Connected", listed, flags=re.M) == ["ace", "ace-team"], listed


def entries(kind: str) -> list[dict[str, Any]]:
    """The servers in the guide's settings files that are reached this way."""
    named = (next(iter(config.values())) for config in CONFIGS)
    return [entry for servers in named for entry in servers.values() if kind in entry]


def test_the_addresses_in_the_settings_are_reached(reader: Reader) -> None:
    for entry in entries("url"):
        key = reader.here(entry["headers"]["Authorization"]).removeprefix("Bearer ")
        with over_http(reader.here(entry["url"]), key) as talk:
            assert talk.told("get_context", task="anything")["domain"] == "customer-a"


def test_the_commands_in_the_settings_start(reader: Reader) -> None:
    here, there = entries("command")
    assert [here["command"], *here["args"]] == LOCAL[LOCAL.index("--") + 1 :], "which Claude Code has started"
    _, *words = (reader.here(word) for word in there["args"])
    environment = {**reader.environment, "ACE_API_KEY": reader.here(there["env"]["ACE_API_KEY"])}
    with over_stdio(*words, environment=environment, log=reader.home / "there.log") as talk:
        assert talk.told("get_context", task="anything")["domain"] == "customer-a"
        (error,) = (body for language, body in BLOCKS if language == "text")
        assert talk.refusal("record_outcome", task="t", answer="a", correct=True) == error.strip()
        assert talk.refusal("list_reviews").endswith("Start them with: ace mcp --role review.")
