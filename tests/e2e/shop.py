"""A domain with bullets of known effect and reported episodes, the `ace` command, and a model server that obeys."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ace.models.plan import Add
from ace.models.playbook import PlaybookStage
from ace.repositories import schema
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.testing.llm import ChatRequest, Reply, ScriptedLLM, say
from ace.utils.embeddings import LocalEmbedder
from tests.e2e.conftest import Ace
from tests.playbooks import NOW, bullet, write
from tests.replays import reported, rule, supported

SHOP = "shop"


def answer(request: ChatRequest) -> Reply:
    item = re.findall(r"code of item (\d+)", request.prompt)[-1]
    told = {"reasoning": "looked it up", "answer": rule(f"item {item}", [request.prompt]), "cited": []}
    return say(json.dumps(told), delay_s=0.01)


@pytest.fixture
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM(answer) as server:
        yield server


class Shop:
    """A domain with bullets of known effect and reported episodes, and the command."""

    def __init__(self, ace: Ace, database: Database, embedder: LocalEmbedder) -> None:
        self.ace, self._embedder = ace, embedder
        self.store, self.episodes = PlaybookRepository(database), EpisodeRepository(database)

    def add(self, *texts: str, voted: bool = False) -> list[str]:
        made = [bullet(text, domain=SHOP) for text in texts]
        vectors = dict(zip((one.id for one in made), self._embedder.embed(texts), strict=True))
        with self.store.transaction(SHOP) as transaction:
            transaction.apply([Add(bullet=one) for one in made], vectors=vectors, now=NOW)
        for one in made if voted else ():
            write(self.store, *supported(one.id), domain=SHOP)
        return [one.id for one in made]

    def report(self, count: int) -> None:
        for number in range(count):
            self.episodes.report(reported(number, domain=SHOP))

    def replay(self, *words: str) -> Any:
        return self.ace.json("replay", *words, "--domain", SHOP)

    def stage(self, own: str) -> PlaybookStage:
        return self.store.get_many(SHOP, [own])[0].stage

    def pairs(self) -> list[dict[str, Any]]:
        return [entry.body for entry in self.store.entries(SHOP) if entry.kind == "pairs"]


@pytest.fixture
def shop(tmp_path: Path, llm: ScriptedLLM, models_dir: Path) -> Iterator[Shop]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ACE_")}
    ours = {"ACE_DATA_DIR": str(tmp_path / "data"), "ACE_MODELS_DIR": str(models_dir), "ACE_MODEL": "openai/clerk",
            "ACE_MODEL_BASE_URL": llm.url, "ACE_POLICY": "evidence"}  # fmt: skip
    (tmp_path / "data").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'data' / 'ace.db'}")
    schema.require_head(database)
    yield Shop(Ace(tmp_path, {**kept, **ours}), database, LocalEmbedder(models_dir))
    database.close()
