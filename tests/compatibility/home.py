"""One installation with its database, asked through the doors that stay: the `ace` command and HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Ace
from tests.e2e.servers import SHOWN_TO_ALL, Server, serving

DOMAINS = ("office", "shop", "support")
QUESTIONS = ("What is the code of item amber?", "May I guess a password?", "Check units before dividing.")


class Home:
    """A folder with `ace.toml` and `data`; `database_url` None: the SQLite file in it."""

    def __init__(self, root: Path, model_url: str, database_url: str | None) -> None:
        self.root, self.data, self.url = root, root / "data", database_url
        root.mkdir(exist_ok=True)
        models = os.environ.get("ACE_MODELS_DIR", str(Path(__file__).parents[2] / ".ace" / "models"))
        ours = {"ACE_MODELS_DIR": models, "ACE_MODEL_BASE_URL": model_url, "ACE_DATA_DIR": str(self.data),
                "ACE_BACKUP_URL": str(self.data / "backups"), "ACE_ANCHOR_URL": str(self.data / "anchors.jsonl"),
                **({"ACE_DATABASE_URL": database_url} if database_url else {}), "ACE_MODEL": "openai/clerk",
                **SHOWN_TO_ALL}  # fmt: skip
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ACE_")}
        self.environment = {**inherited, **ours}
        self.ace = Ace(root, self.environment)

    def python(self, *words: str, **settings: str) -> str:
        """What a Python command prints, run beside the database."""
        return subprocess.run([sys.executable, *words], cwd=self.root, env={**self.environment, **settings},
                              capture_output=True, text=True, check=True).stdout  # fmt: skip

    def serving(self, **settings: str) -> AbstractContextManager[Server]:
        """A server over it."""
        ours = {name: value for name, value in self.environment.items() if name.startswith("ACE_")}
        return serving(self.root, **{**ours, **settings})


def facts(home: Home) -> dict[str, Any]:
    """What the release in force answers about this home, domain by domain."""
    return {"domains": {domain: _domain(home, domain) for domain in DOMAINS}, "keys": home.ace.json("keys", "list")}


def _domain(home: Home, domain: str) -> dict[str, Any]:
    ask, named = home.ace.json, ("--domain", domain)
    releases = ask("release", "list", *named)
    past = ("0", *(f"release:{one['name']}" for one in releases))
    return {
        "bullets": ask("playbook", "show", *named, "--limit", "1000"),
        "as_of": {when: ask("playbook", "show", *named, "--as-of", when, "--limit", "1000") for when in past},
        "verified": ask("journal", "verify", *named),
        "releases": releases,
        "reviews": ask("review", "list", "--all", *named),
        "found": {question: ask("playbook", "search", question, *named) for question in QUESTIONS},
    }
