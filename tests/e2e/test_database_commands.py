"""`ace db` as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ace.repositories.schema import HEAD, REVISIONS
from tests.e2e.conftest import Ace


@pytest.fixture
def learned(ace: Ace) -> Ace:
    """With a playbook of four bullets."""
    ace("learn", ace.tasks("tasks.jsonl", ["amber", "birch", "cedar", "dune"]), "--domain", "shop")
    return ace


def bullets(ace: Ace, **environment: str) -> object:
    return json.loads(ace("playbook", "show", "--domain", "shop", "--json", **environment).stdout)


def test_a_playbook_is_saved_checked_lost_and_restored(learned: Ace) -> None:
    before = bullets(learned)
    taken = learned.json("db", "backup")
    assert taken["rows"]["playbook_bullets"] == 4
    assert taken["heads"]["shop"]["seq"] >= 4
    assert [one["name"] for one in learned.json("db", "backups")] == [Path(taken["url"]).name]
    assert learned.json("db", "verify", taken["url"])["sha256"] == taken["sha256"]
    (learned.home / "data" / "ace.db").unlink()
    restored = learned.json("db", "restore", "latest")
    assert restored["heads"] == taken["heads"]
    assert bullets(learned) == before
    assert "sound" in learned("playbook", "verify", "--domain", "shop").stdout


def test_what_people_are_told(learned: Ace) -> None:
    said = learned("db", "backup").stdout
    assert "read back and sound" in said
    assert "shop: " in said
    assert "passed" in learned("db", "drill").stdout
    assert "ace-2" in learned("db", "backups").stdout
    assert "sound" in learned("db", "verify", "latest").stdout
    assert "read back and equal" in learned("db", "restore", "latest", "--into", "sqlite:///new.db").stdout


def test_a_backup_goes_elsewhere_and_older_ones_are_pruned(learned: Ace) -> None:
    for _ in range(3):
        learned("db", "backup", "--to", "elsewhere", "--keep", "2")
    found = json.loads(learned("db", "backups", "--json", ACE_BACKUP_URL=str(learned.home / "elsewhere")).stdout)
    assert len(found) == 2


def test_a_backup_is_restored_into_another_database(learned: Ace, postgres_url: str) -> None:
    learned("db", "backup")
    learned("db", "restore", "latest", "--into", postgres_url)
    assert bullets(learned, ACE_DATABASE_URL=postgres_url) == bullets(learned)
    drilled = json.loads(learned("db", "drill", "latest", "--database-url", postgres_url, "--json").stdout)
    assert (drilled["fault"], drilled["searches"]) == ("", 3)


def test_data_is_not_replaced_by_accident(learned: Ace) -> None:
    learned("db", "backup")
    assert "--replace" in learned("db", "restore", "latest", code=2).stderr
    assert "--yes" in learned("db", "restore", "latest", "--replace", code=2).stderr
    before = bullets(learned)
    learned("db", "restore", "latest", "--replace", "--yes")
    assert bullets(learned) == before


def test_a_damaged_backup_is_refused_everywhere(learned: Ace) -> None:
    file = Path(learned.json("db", "backup")["url"])
    file = file if file.is_absolute() else learned.home / file
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 4
    file.write_bytes(whole)
    for words in (("verify",), ("restore", "--into", "sqlite:///new.db")):
        message = learned("db", words[0], str(file), *words[1:], code=2).stderr
        assert "damaged" in message
        assert "Traceback" not in message
    assert not (learned.home / "new.db").exists()
    assert "damaged" in json.loads(learned("db", "drill", str(file), "--json", code=4).stdout)["fault"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        pytest.param(("verify", "nowhere.jsonl.gz"), 2, "nowhere.jsonl.gz", id="no-such-file"),
        pytest.param(("restore", "latest"), 2, "ace db backup", id="no-backup-yet"),
        pytest.param(("backup",), 2, "ace db upgrade", id="no-database-yet"),
        pytest.param(("backup", "--to", "ftp://host/x"), 2, "s3://bucket/prefix", id="no-place"),
        pytest.param(("downgrade", "base"), 2, "--yes", id="everything-would-go"),
        pytest.param(("upgrade", "nonsense"), 2, "ace db history", id="no-revision"),
        pytest.param(("downgrade", "-7"), 2, "ace db history", id="too-far-down"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(ace: Ace, words: tuple[str, ...], code: int, says: str) -> None:
    message = ace("db", *words, code=code).stderr
    assert says in message
    assert "Traceback" not in message


def test_a_bucket_nobody_serves_is_an_outage(learned: Ace) -> None:
    away = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "sEcReT"}
    message = learned("db", "backup", "--to", "s3://bucket/ace", code=4, **away).stderr
    assert "AWS_ENDPOINT_URL" in message
    assert "sEcReT" not in message
    assert "Traceback" not in message


def test_the_schema_goes_up_and_down(ace: Ace) -> None:
    assert ace.json("db", "current") == {"revision": None, "head": HEAD, "at_head": False}
    assert ace.json("db", "upgrade") == {"revision": HEAD}
    assert ace.json("db", "downgrade", "-1") == {"revision": REVISIONS[-2]}
    assert [row["current"] for row in ace.json("db", "history")] == [one == REVISIONS[-2] for one in REVISIONS]
    assert ace.json("db", "upgrade", "+1") == {"revision": HEAD}
    assert ace.json("db", "downgrade", "0001") == {"revision": "0001"}
    assert ace.json("db", "downgrade", "base", "--yes") == {"revision": None}
    assert "0001" in ace("db", "upgrade", "0001").stdout
    assert "<- here" in ace("db", "history").stdout
