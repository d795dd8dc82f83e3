"""Someone changes a journal with SQL. Each kind is planted on both databases and named, at the first bad entry.

What the database alone gives away is found without anchors; the last three kinds need them, and are missed without.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ace.core.journal import canonical, entry_hash, timestamp
from ace.errors import Conflict, InvalidInput
from ace.models.integrity import Anchored, Tampering
from ace.models.journal import GENESIS, Entry
from ace.models.plan import Quarantine, Restore
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.statements import statement
from ace.services.anchoring import Anchoring
from ace.services.verification import Verification, verify
from ace.testing.anchors import InMemoryAnchors
from ace.testing.clock import FrozenClock
from ace.testing.playbook import InMemoryPlaybook
from ace.utils.anchor import FileAnchors, key_in
from tests.integration.test_object_store import s3_server  # noqa: F401  fixture
from tests.playbooks import DOMAIN, NOW, add, helpful, write

KEY = b"k" * 64
LENGTH = 10


@dataclass
class Scene:
    """A database with a journal of ten entries, its head anchored after the sixth and the last."""

    database: Database
    store: PlaybookRepository
    anchoring: Anchoring
    log: InMemoryAnchors

    def check(self, *, anchors: bool) -> Verification:
        return verify(DOMAIN, self.store, self.anchoring.read() if anchors else None)

    def sql(self, text: str, **values: Any) -> None:
        with self.database.transaction() as session:
            session.run(statement(text), **values)

    def write(self, entries: list[Entry], *, head: bool = True) -> None:
        """Replace the whole journal, and the head with it."""
        with self.database.transaction() as session:
            session.run(statement("DELETE FROM playbook_journal"))
            for entry in entries:
                row = {"domain_id": DOMAIN, "seq": entry.seq, "at": timestamp(entry.at), "kind": entry.kind,
                       "body": canonical(entry.body).decode(), "previous": entry.previous,
                       "hash": entry.hash}  # fmt: skip
                names = ", ".join(row)
                marks = ", ".join(f":{name}" for name in row)
                session.run(statement(f"INSERT INTO playbook_journal ({names}) VALUES ({marks})"), **row)
            if head:
                session.run(statement("UPDATE domains SET seq = :seq, head_hash = :hash"), seq=entries[-1].seq,
                            hash=entries[-1].hash)  # fmt: skip


@pytest.fixture
def scene(database: Database) -> Scene:
    """Two bullets, quarantined and restored again and again: the tables do not tell which of these are missing."""
    store, log, clock = PlaybookRepository(database), InMemoryAnchors(), FrozenClock(NOW)
    anchoring = Anchoring(store, log, lambda make: KEY, clock)
    one, two = add(store, "check the units", "never round twice")
    for number in range(2):
        write(store, Quarantine(bullet_id=one, reason=f"{number}"), Restore(bullet_id=one, reason=f"{number}"))
    anchoring.anchor()
    for number in range(2):
        write(store, Quarantine(bullet_id=two, reason=f"{number}"), Restore(bullet_id=two, reason=f"{number}"))
    clock.advance(60)
    anchoring.anchor()
    assert store.head(DOMAIN).seq == LENGTH
    return Scene(database, store, anchoring, log)


def forged(at: datetime = NOW) -> Entry:
    return Entry(domain_id=DOMAIN, seq=0, at=at, kind="quarantine", body={"bullet_id": "x", "reason": "forged"},
                 previous=GENESIS, hash=GENESIS)  # fmt: skip


def rechained(entries: list[Entry]) -> list[Entry]:
    """The entries with numbers and hashes that fit: what nothing but an anchor tells from the truth."""
    made: list[Entry] = []
    for seq, entry in enumerate(entries, start=1):
        previous = made[-1].hash if made else GENESIS
        own = entry_hash(previous, DOMAIN, seq, entry.at, entry.kind, entry.body)
        made.append(replace(entry, seq=seq, previous=previous, hash=own))
    return made


def renumbered(entries: list[Entry]) -> list[Entry]:
    return [replace(entry, seq=seq) for seq, entry in enumerate(entries, start=1)]


def changed(scene: Scene) -> None:
    body = json.dumps({"bullet_id": scene.store.entries(DOMAIN)[3].body["bullet_id"], "reason": "another"})
    scene.sql("UPDATE playbook_journal SET body = :body WHERE seq = 4", body=body)


def changed_time(scene: Scene) -> None:
    scene.sql("UPDATE playbook_journal SET at = :at WHERE seq = 4", at=timestamp(NOW + timedelta(days=1)))


def changed_to_rubbish(scene: Scene) -> None:
    scene.sql("UPDATE playbook_journal SET body = :body WHERE seq = 4", body="{")


def changed_and_hashed(scene: Scene) -> None:
    entries = scene.store.entries(DOMAIN)
    body = {**entries[3].body, "reason": "another"}
    own = entry_hash(entries[3].previous, DOMAIN, 4, entries[3].at, entries[3].kind, body)
    entries[3] = replace(entries[3], body=body, hash=own)
    scene.write(entries)


def changed_last_and_hashed(scene: Scene) -> None:
    entries = scene.store.entries(DOMAIN)
    entries[-1] = rechained([*entries[:-1], replace(entries[-1], body={**entries[-1].body, "reason": "another"})])[-1]
    scene.write(entries, head=False)


def dropped(scene: Scene) -> None:
    scene.sql("DELETE FROM playbook_journal WHERE seq = 4")


def dropped_and_renumbered(scene: Scene) -> None:
    entries = scene.store.entries(DOMAIN)
    scene.write(renumbered([*entries[:3], *entries[4:]]))


def inserted_rubbish(scene: Scene) -> None:
    entries = scene.store.entries(DOMAIN)
    scene.write(renumbered([*entries[:3], forged(), *entries[3:]]))


def inserted_with_its_own_hash(scene: Scene) -> None:
    entries = scene.store.entries(DOMAIN)
    put_in = rechained([*entries[:3], forged()])[3]
    scene.write(renumbered([*entries[:3], put_in, *entries[3:]]))


def inserted_after_the_head(scene: Scene) -> None:
    entries = scene.store.entries(DOMAIN)
    scene.write(rechained([*entries, forged()]), head=False)


def reordered(scene: Scene) -> None:
    entries = scene.store.entries(DOMAIN)
    entries[3], entries[6] = entries[6], entries[3]
    scene.write(renumbered(entries))


def reordered_contents(scene: Scene) -> None:
    entries = scene.store.entries(DOMAIN)
    one, other = entries[3], entries[6]
    entries[3] = replace(one, kind=other.kind, body=other.body, at=other.at)
    entries[6] = replace(other, kind=one.kind, body=one.body, at=one.at)
    scene.write(entries)


def truncated_carelessly(scene: Scene) -> None:
    scene.sql("DELETE FROM playbook_journal WHERE seq > 8")


def truncated(scene: Scene) -> None:
    scene.write(scene.store.entries(DOMAIN)[:8])


def truncated_and_appended(scene: Scene) -> None:
    truncated(scene)
    one = scene.store.get_all(DOMAIN)[0].id
    for number in range(3):
        moves = Quarantine(bullet_id=one, reason=f"new {number}"), Restore(bullet_id=one, reason=f"new {number}")
        write(scene.store, *moves, now=NOW + timedelta(days=1))


def rewritten(scene: Scene) -> None:
    entries = scene.store.entries(DOMAIN)
    entries[4] = replace(entries[4], body={**entries[4].body, "reason": "another"})
    scene.write(rechained(entries))


T = Tampering
PLANTED: list[Any] = [
    pytest.param(changed, T.CHANGED, 4, True, id="changed"),
    pytest.param(changed_time, T.CHANGED, 4, True, id="changed-time"),
    pytest.param(changed_to_rubbish, T.CHANGED, 4, True, id="changed-to-what-is-no-entry"),
    pytest.param(changed_and_hashed, T.CHANGED, 4, True, id="changed-with-its-hash"),
    pytest.param(changed_last_and_hashed, T.CHANGED, LENGTH, True, id="changed-the-last-with-its-hash"),
    pytest.param(dropped, T.DROPPED, 4, True, id="dropped"),
    pytest.param(dropped_and_renumbered, T.DROPPED, 4, True, id="dropped-and-renumbered"),
    pytest.param(inserted_rubbish, T.INSERTED, 4, True, id="inserted"),
    pytest.param(inserted_with_its_own_hash, T.INSERTED, 4, True, id="inserted-with-its-hash"),
    pytest.param(inserted_after_the_head, T.INSERTED, LENGTH + 1, True, id="inserted-after-the-head"),
    pytest.param(reordered, T.REORDERED, 4, True, id="reordered"),
    pytest.param(reordered_contents, T.REORDERED, 4, True, id="reordered-contents"),
    pytest.param(truncated_carelessly, T.TRUNCATED, 9, True, id="truncated-but-for-the-head"),
    pytest.param(truncated, T.TRUNCATED, 9, False, id="truncated"),
    pytest.param(truncated_and_appended, T.REPLACED, 9, False, id="truncated-and-appended"),
    pytest.param(rewritten, T.REWRITTEN, 5, False, id="rewritten-and-rechained"),
]


@pytest.mark.parametrize(("plant", "kind", "seq", "alone"), PLANTED)
def test_each_kind_is_named_with_its_first_bad_entry(
    scene: Scene, plant: Callable[[Scene], None], kind: Tampering, seq: int, alone: bool
) -> None:
    for anchors in (True, False):
        assert scene.check(anchors=anchors).found is None, "before, it is sound"
    plant(scene)
    found = scene.check(anchors=True).found
    assert found is not None
    assert (found.kind, found.seq) == (kind, seq), found.says
    assert f"entry {seq} " in found.says
    without = scene.check(anchors=False).found
    assert (without == found) if alone else (without is None), "with the database alone"


@pytest.mark.parametrize("plant", [truncated, truncated_and_appended, rewritten])
def test_a_journal_that_is_another_is_never_anchored_again(scene: Scene, plant: Callable[[Scene], None]) -> None:
    plant(scene)
    if plant is rewritten:
        write(scene.store, helpful(scene.store.get_all(DOMAIN)[0].id, "e"))
    with pytest.raises(Conflict, match="ace journal verify"):
        scene.anchoring.anchor()


def test_a_table_changed_behind_the_journal_is_found(scene: Scene) -> None:
    scene.sql("UPDATE playbook_bullets SET helpful_count = 99")
    found = scene.check(anchors=False).found
    assert found is not None
    assert (found.kind, found.seq) == (T.STATE, None)


def test_only_heads_that_moved_are_anchored(scene: Scene) -> None:
    assert scene.anchoring.anchor() == []
    add(scene.store, "third")
    made = scene.anchoring.anchor()
    assert [(one.number, one.seq) for one in made] == [(3, LENGTH + 1)]
    assert scene.check(anchors=True).anchor == made[0]
    assert Anchored(anchors=tuple(made)).of("other") == ()


def flip(lines: list[str]) -> None:
    lines[0] = lines[0].replace('"seq":6', '"seq":5')


LOGS: list[Any] = [
    pytest.param(flip, "line 1", id="a-line-changed"),
    pytest.param(lambda lines: lines.pop(0), "line 1", id="a-line-taken-out"),
    pytest.param(lambda lines: lines.reverse(), "line 1", id="lines-reordered"),
    pytest.param(lambda lines: lines.append(lines[1]), "line 3", id="a-line-repeated"),
    pytest.param(lambda lines: lines.append("{}"), "line 3", id="a-line-without-signature"),
    pytest.param(lambda lines: lines.append("no json"), "line 3", id="rubbish"),
]


@pytest.mark.parametrize(("plant", "where"), LOGS)
def test_a_log_that_was_changed_is_named_by_its_line(plant: Callable[[list[str]], Any], where: str) -> None:
    store, log = InMemoryPlaybook(), InMemoryAnchors()
    anchoring = Anchoring(store, log, lambda make: KEY, FrozenClock(NOW))
    add(store, *"abcdef")
    anchoring.anchor()
    add(store, "g")
    anchoring.anchor()
    plant(log.kept)
    found = verify(DOMAIN, store, anchoring.read()).found
    assert found is not None
    assert found.kind == T.ANCHORS
    assert where in found.says
    add(store, "h")
    with pytest.raises(Conflict, match=where):
        anchoring.anchor()


def test_a_log_needs_the_key_it_was_signed_with() -> None:
    store, log = InMemoryPlaybook(), InMemoryAnchors()
    add(store, "a")
    Anchoring(store, log, lambda make: KEY, FrozenClock(NOW)).anchor()
    for key, says in ((None, "ACE_ANCHOR_KEY_FILE"), (b"other" * 9, "line 1")):
        other = Anchoring(store, log, lambda make, key=key: key, FrozenClock(NOW))  # type: ignore[misc]
        found = verify(DOMAIN, store, other.read()).found
        assert found is not None
        assert says in found.says
        with pytest.raises(Conflict, match=says):
            other.anchor()


@pytest.fixture(params=["memory", "file", "s3"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield InMemoryAnchors()
    elif request.param == "file":
        yield FileAnchors(tmp_path / "deep" / "anchors.jsonl")
    else:
        yield request.getfixturevalue("bucket_log")


numbers = itertools.count()


@pytest.fixture
def bucket_log(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
    from ace.utils.anchor import open_log
    from tests.docs.test_backup_guide import make_bucket

    given = {"AWS_ENDPOINT_URL": s3_server, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
             "AWS_REGION": "us-east-1"}  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    make_bucket(s3_server, name := f"anchors-{next(numbers)}")
    return open_log(f"s3://{name}/production")


def test_a_log_keeps_lines_in_order_and_lets_nobody_take_anothers_place(log: Any) -> None:
    assert log.lines() == []
    assert log.append(1, "one")
    assert not log.append(1, "uno"), "somebody was there before"
    assert log.append(2, "two — 二")
    assert log.lines() == ["one", "two — 二"]


def test_a_torn_line_counts_as_not_written(tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    path.write_text("one\ntw")
    assert FileAnchors(path).lines() == ["one"]
    assert FileAnchors(path).append(2, "two")
    assert path.read_text() == "one\ntwo\n"


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "anchor.key"
    assert key_in(path, make=False) is None
    made = key_in(path, make=True)
    assert made == key_in(path, make=True) == key_in(path, make=False)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["anchor.key"]
    path.write_text("short")
    with pytest.raises(InvalidInput, match="ACE_ANCHOR_KEY_FILE"):
        key_in(path, make=False)
