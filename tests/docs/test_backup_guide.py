"""Whatever the backup guide tells an operator to type works, in the order shown."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from urllib.request import Request, urlopen

from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures
from tests.integration.test_object_store import s3_server  # noqa: F401  fixture

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "backup.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```", GUIDE, flags=re.M | re.S)
COMMANDS = [line.split("  #")[0].strip() for body in BLOCKS for line in body.splitlines() if line.startswith("ace ")]


def test_every_command_of_the_guide_works(
    ace: Ace,  # noqa: F811
    s3_server: str,  # noqa: F811
    postgres_url: str,
) -> None:
    ace("learn", ace.tasks("tasks.jsonl", ["amber", "birch"]), "--domain", "support")
    there = {"AWS_ENDPOINT_URL": s3_server, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    make_bucket(s3_server, "ace-backups")
    for command in COMMANDS:
        _, *words = shlex.split(command.replace('"$ADMIN_URL"', shlex.quote(postgres_url)))
        ace(*words, **there)
    listed = ace("db", "backups", "--to", "s3://ace-backups/production", "--json", **there).stdout
    assert len(json.loads(listed)) == 1


def test_the_line_for_cron_is_made_of_commands_that_exist(ace: Ace) -> None:  # noqa: F811
    line = re.findall(r"^```cron\n(.*?)^```", GUIDE, flags=re.M | re.S)[0]
    assert re.match(r"(\S+ ){4}\S+ ", line)
    ace("db", "upgrade")
    for command in re.findall(r"ace (db [^&\n]+)", line):
        ace(*shlex.split(command))


def make_bucket(server: str, name: str) -> None:
    urlopen(Request(f"{server}/{name}", method="PUT"), timeout=30).close()
