"""Each checker of a store is silent about a sound one, and names what is wrong with one that was broken on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ace.models.observation import Observation
from ace.models.plan import Archive, Increment, Observe, Operation, Pairs
from ace.models.playbook import PlaybookStage
from ace.repositories import rules, statements
from ace.repositories.database import Database
from ace.repositories.rows import entry_to_row
from ace.repositories.statements import statement
from ace.services.anchoring import Anchoring
from ace.testing import checks
from ace.testing.anchors import InMemoryAnchors
from ace.utils import faiss_files
from ace.utils.faiss_view import View
from tests.episodes import episode
from tests.merging import KNOWN, LESSONS, REPORT, Workshop
from tests.playbooks import DOMAIN, NOW, helpful, write

ACKNOWLEDGED = {(DOMAIN, REPORT)}


@dataclass
class Scene:
    """A workshop after its merge, its index on the disk; what the plants need to break it."""

    shop: Workshop

    def sql(self, text: str, **values: Any) -> None:
        with self.shop.database.transaction() as session:
            session.run(statement(text), **values)

    def own(self, text: str) -> str:
        return self.shop.id_of(text)

    def view(self, change: Callable[[View], object]) -> None:
        """Change the index on the disk."""
        view = faiss_files.load(self.shop.folder, DOMAIN, "hash")
        change(view)
        faiss_files.save(view, self.shop.folder, DOMAIN, "hash")

    def said(self) -> dict[str, list[str]]:
        """What each checker says; the index is opened anew."""
        again = Workshop(self.shop.database, self.shop.folder)
        held, store = checks.read(again.database), again.store
        return {
            "chain": checks.chain(store),
            "tables": checks.tables(held),
            "counters": checks.counters(held),
            "effects": checks.effects(held),
            "reports": checks.reports(held, ACKNOWLEDGED),
            "indexed": checks.indexed(store, again.index),
        }


@pytest.fixture
def scene(database: Database, tmp_path: Path) -> Iterator[Scene]:
    shop = Workshop(database, tmp_path / "index")
    shop.merge(shop.open())
    yield Scene(shop)


def counter_off_by_one(scene: Scene) -> str:
    own = scene.own(KNOWN[2])
    scene.sql("UPDATE playbook_bullets SET helpful_count = helpful_count + 1 WHERE id = :id", id=own)
    return f"bullet {own} counts 2 helpful and 0 harmful, its votes are (1, 0)"


def counter_off_for_the_tables(scene: Scene) -> str:
    own = scene.own(KNOWN[1])
    scene.sql("UPDATE playbook_bullets SET harmful_count = 0 WHERE id = :id", id=own)
    return f"playbook_bullets {own}: harmful_count is 0, the journal says 1"


def text_changed(scene: Scene) -> str:
    own = scene.own(KNOWN[1])
    scene.sql("UPDATE playbook_bullets SET content = 'another' WHERE id = :id", id=own)
    return f"playbook_bullets {own}: content is 'another'"


def birth_moved(scene: Scene) -> str:
    own = scene.own(KNOWN[1])
    scene.sql("UPDATE playbook_bullets SET born_seq = 9 WHERE id = :id", id=own)
    return f"playbook_bullets {own}: born_seq is 9, the journal says 2"


def vote_row_doubled(scene: Scene) -> str:
    scene.sql("INSERT INTO bullet_votes SELECT domain_id, 'again', bullet_id, seq FROM bullet_votes"
              " WHERE bullet_id = :id", id=scene.own(KNOWN[2]))  # fmt: skip
    return f"bullet_votes has again {scene.own(KNOWN[2])}, which the journal has not"


def vote_row_lost(scene: Scene) -> str:
    scene.sql("DELETE FROM bullet_votes WHERE bullet_id = :id", id=scene.own(KNOWN[2]))
    return f"bullet_votes lacks {REPORT} {scene.own(KNOWN[2])}"


def link_lost(scene: Scene) -> str:
    scene.sql("DELETE FROM bullet_links")
    return "bullet_links lacks"


def vector_lost(scene: Scene) -> str:
    own = scene.own(KNOWN[1])
    scene.sql("DELETE FROM bullet_vectors WHERE bullet_id = :id", id=own)
    return f"bullet {own} has no vector"


def vector_lost_for_the_index(scene: Scene) -> str:
    vector_lost(scene)
    return f"There is no vector of {scene.own(KNOWN[1])}"


def entry_dropped(scene: Scene) -> str:
    scene.sql("DELETE FROM playbook_journal WHERE seq = 5")
    return "entry 5 was dropped"


def entry_dropped_for_the_tables(scene: Scene) -> str:
    entry_dropped(scene)
    return "entry 5 is missing"


def stage_forgotten(scene: Scene) -> str:
    own = scene.own(KNOWN[0])
    scene.sql("UPDATE playbook_bullets SET stage = 'shadow' WHERE id = :id", id=own)
    return f"bullet {own} is not what the journal says"


def vote_applied_twice(scene: Scene) -> str:
    """As a store would that asks nobody whether the episode has voted: journalled, counted, the chain whole."""
    again: Operation = helpful(scene.own(KNOWN[2]), REPORT)
    head = scene.shop.store.head(DOMAIN)
    (entry,) = rules.journalled(DOMAIN, head, [again], NOW)
    with scene.shop.database.transaction() as session:
        session.run(statements.JOURNAL, **entry_to_row(entry))
        session.run(statements.COUNT_VOTE, domain_id=DOMAIN, id=scene.own(KNOWN[2]), helpful=1, harmful=0)
        session.run(statement("UPDATE domains SET seq = :seq, head_hash = :hash"), seq=entry.seq, hash=entry.hash)
    return f"episode {REPORT} voted 2 times on bullet {scene.own(KNOWN[2])}"


def effect_applied_twice(scene: Scene) -> str:
    """By a worker that was late and came to another conclusion."""
    write(scene.shop.store, Increment(bullet_id=scene.own(LESSONS[0]), episode_id=REPORT, helpful=1))
    return f"episode {REPORT} brought 2 bullets and 3 votes, the journal has 2 and 4"


def effect_lost(scene: Scene) -> str:
    scene.shop.episodes.report(episode("report-2"))
    scene.sql("""UPDATE episodes SET state = 'done', result = '{{"added":0,"merged":1,"votes":0}}'"""
              " WHERE id = 'report-2'")  # fmt: skip
    return "episode report-2 brought 0 bullets and 1 votes, the journal has 0 and 0"


def effect_before_it_is_done(scene: Scene) -> str:
    scene.sql("UPDATE episodes SET state = 'queued', result = NULL")
    return f"episode {REPORT} is queued, and yet the journal has 2 bullets and 3 votes of it"


def observed_twice(scene: Scene) -> str:
    write(scene.shop.store, Observe(observation=Observation(episode_id=REPORT, success=True)))
    return f"episode {REPORT} was observed 2 times"


def report_lost(scene: Scene) -> str:
    scene.sql("DELETE FROM episodes")
    return f"episode {REPORT} was acknowledged and is lost"


def report_dead(scene: Scene) -> str:
    scene.sql("UPDATE episodes SET state = 'dead', error = 'worn out'")
    return f"episode {REPORT} was acknowledged and is dead (worn out)"


def bullet_missing_in_the_index(scene: Scene) -> str:
    own = scene.own(KNOWN[1])
    scene.view(lambda view: view.shelves[PlaybookStage.SHADOW].take(own))
    return f"the index lacks {own}"


def stranger_in_the_index(scene: Scene) -> str:
    stray = np.eye(1, 384, dtype=np.float32)
    scene.view(lambda view: view.put(["strategy-nobody"], [PlaybookStage.PROD], stray))
    return "the index has strategy-nobody, which the database has not"


def stage_missed_by_the_index(scene: Scene) -> str:
    own = scene.own(KNOWN[0])

    def move(view: View) -> None:
        view.put([own], [PlaybookStage.PROD], view.shelves[PlaybookStage.STAGING].take(own)[None])

    scene.view(move)
    return f"the index has {own} among prod, it is staging"


def vectors_swapped_in_the_index(scene: Scene) -> str:
    one = scene.own(KNOWN[1])

    def swap(view: View) -> None:
        view.shelves[PlaybookStage.SHADOW].take(one)
        view.put([one], [PlaybookStage.SHADOW], -np.ones((1, 384), dtype=np.float32) / np.sqrt(384))

    scene.view(swap)
    return f"the index has another vector for {one}"


PLANTS = [
    ("chain", entry_dropped),
    ("chain", stage_forgotten),
    ("tables", counter_off_for_the_tables),
    ("tables", text_changed),
    ("tables", birth_moved),
    ("tables", vote_row_doubled),
    ("tables", vote_row_lost),
    ("tables", link_lost),
    ("tables", vector_lost),
    ("tables", entry_dropped_for_the_tables),
    ("counters", counter_off_by_one),
    ("counters", vote_applied_twice),
    ("counters", entry_dropped_for_the_tables),
    ("effects", effect_applied_twice),
    ("effects", effect_lost),
    ("effects", effect_before_it_is_done),
    ("effects", observed_twice),
    ("reports", report_lost),
    ("reports", report_dead),
    ("indexed", vector_lost_for_the_index),
    ("indexed", bullet_missing_in_the_index),
    ("indexed", stranger_in_the_index),
    ("indexed", stage_missed_by_the_index),
    ("indexed", vectors_swapped_in_the_index),
]


def test_a_sound_store_is_passed_over_in_silence(scene: Scene) -> None:
    assert [said for found in scene.said().values() for said in found] == []
    assert checks.everything(scene.shop.database, scene.shop.index, acknowledged=ACKNOWLEDGED) == []


@pytest.mark.parametrize(("checker", "plant"), [pytest.param(c, p, id=f"{c}-{p.__name__}") for c, p in PLANTS])
def test_what_is_broken_is_named(scene: Scene, checker: str, plant: Callable[[Scene], str]) -> None:
    words = plant(scene)
    found = scene.said()[checker]
    assert any(words in said for said in found), found
    assert all(said.startswith(f"{DOMAIN}: ") for said in found)


def test_kinds_that_change_no_bullet_are_passed_over(scene: Scene) -> None:
    own = scene.own(KNOWN[1])
    write(scene.shop.store, Observe(observation=Observation(episode_id="e9")), Pairs(bullet_id=own, wins=3, losses=1),
          Archive(bullet_id=own, reason="nobody asks for it"))  # fmt: skip
    assert [said for found in scene.said().values() for said in found] == []


def test_ids_that_also_sent_insights_directly_are_passed_over(scene: Scene) -> None:
    effect_applied_twice(scene)
    held = checks.read(scene.shop.database)
    assert checks.effects(held)
    assert checks.effects(held, direct=ACKNOWLEDGED) == []


def test_a_journal_cut_off_behind_its_anchor_is_named(scene: Scene) -> None:
    key, log, store = b"k" * 64, InMemoryAnchors(), scene.shop.store
    anchoring = Anchoring(store, log, lambda make: key, scene.shop.clock)
    anchoring.anchor()
    assert checks.chain(store, anchoring.read()) == []
    last = store.entries(DOMAIN)[-2]
    scene.sql("DELETE FROM playbook_journal WHERE seq > :seq", seq=last.seq)
    scene.sql("UPDATE domains SET seq = :seq, head_hash = :hash", seq=last.seq, hash=last.hash)
    (said,) = checks.chain(store, anchoring.read())
    assert f"entry {last.seq + 1} was cut off" in said
