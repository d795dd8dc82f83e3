"""`ace playbook refine`, as an operator types it, and what the server then says of a bullet put aside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ace.models.plan import Add
from ace.models.playbook import PlaybookStage
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.testing.embedder import HashEmbedder
from tests.playbooks import DOMAIN, NOW, assert_sound, bullet, helpful, write

TEXTS = ["check the units of every number", "of every number check the units", "draw a picture"]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(sqlite_url: str, tmp_path: Path) -> Run:
    def refine(*words: str, code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ACE_DATABASE_URL": sqlite_url, "ACE_DEDUPE": "cosine", **settings}
        command = [sys.executable, "-m", "ace", "playbook", "refine", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return refine


@pytest.fixture
def store(sqlite_url: str) -> PlaybookRepository:
    """Two bullets that say the same, the second more trusted, and a third."""
    store = PlaybookRepository(Database(sqlite_url))
    made = [bullet(text) for text in TEXTS]
    vectors = dict(zip([one.id for one in made], HashEmbedder().embed(TEXTS), strict=True))
    with store.transaction(DOMAIN) as transaction:
        transaction.apply([Add(bullet=one) for one in made], vectors=vectors, now=NOW)
    write(store, helpful(made[1].id, "e"))
    return store


def stages(store: PlaybookRepository) -> list[str]:
    return [one.stage.value for one in store.get_all(DOMAIN)]


def test_it_says_what_it_would_do_and_does_that_once(run: Run, store: PlaybookRepository) -> None:
    first, second, _ = store.get_all(DOMAIN)
    planned = run(DOMAIN, "--dry-run", ACE_ARCHIVE_UNUSED_DAYS="0").stdout
    assert f"{first.id}  archived, superseded: {second.id} says the same, cosine 1.00" in planned
    assert "1 would be archived (1 superseded, 0 unused, 0 room), 0 would be restored" in planned
    assert stages(store) == ["shadow"] * 3
    done = json.loads(run(DOMAIN, "--json", ACE_ARCHIVE_UNUSED_DAYS="0").stdout)
    assert [(one["bullet_id"], one["cause"], one["superseded_by"]) for one in done["archived"]] == [
        (first.id, "superseded", second.id)
    ]
    assert stages(store) == ["archived", "shadow", "shadow"]
    again = json.loads(run(DOMAIN, "--json", ACE_ARCHIVE_UNUSED_DAYS="0").stdout)
    assert (again["archived"], again["restored"]) == ([], [])
    assert_sound(store)


def test_the_settings_turn_the_rest(run: Run, store: PlaybookRepository) -> None:
    assert "(1 superseded, 0 unused, 1 room)" in run(DOMAIN, "--dry-run", ACE_ARCHIVE_UNUSED_DAYS="0",
                                                     ACE_DOMAIN_TOKEN_BUDGET="15").stdout  # fmt: skip
    told = run(DOMAIN).stdout  # the bullets of this test are of March
    assert "unused: not shown, voted on or moved for 90 days" in told
    assert PlaybookStage.ARCHIVED in stages(store)


def test_an_unknown_domain_is_said_to_be(run: Run, store: PlaybookRepository) -> None:
    assert "There is no domain nobody" in run("nobody", code=2).stderr
    assert "ace playbook refine customer-a --dry-run" in run("--help").stdout
