"""What is computed for a page: places on the map, counts from the journal, points of a chart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.models.plan import Add, Increment, Promote, Quarantine
from ace.models.playbook import PlaybookStage
from ace.testing.playbook import InMemoryPlaybook
from ace.web.pages.atlas import project
from ace.web.pages.chart import thinned
from ace.web.pages.figures import Tallies
from tests.playbooks import DOMAIN, NOW, bullet, vector


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_every_vector_has_a_place_within_the_map(count: int) -> None:
    vectors = np.random.default_rng(1).normal(size=(count, 8)).astype(np.float32)
    places, explained = project(vectors)
    assert len(places) == count
    assert all(-1.0 <= value <= 1.0 for place in places for value in place)
    assert 0.0 <= explained <= 1.0 + 1e-9


def test_what_is_alike_lies_near() -> None:
    random = np.random.default_rng(2)
    centres = np.repeat(np.eye(8, dtype=np.float32)[:3], 20, axis=0)
    places, _ = project((centres + random.normal(size=centres.shape, scale=0.05)).astype(np.float32))
    found = np.array(places)
    within = max(float(np.ptp(found[at : at + 20], axis=0).max()) for at in (0, 20, 40))
    between = min(float(np.linalg.norm(found[a : a + 20].mean(0) - found[b : b + 20].mean(0)))
                  for a, b in ((0, 20), (0, 40), (20, 40)))  # fmt: skip
    assert between > within


def test_vectors_that_are_all_the_same_are_one_place() -> None:
    places, _ = project(np.ones((5, 8), dtype=np.float32))
    assert np.abs(np.array(places)).max() <= 1.0


@given(st.lists(st.tuples(st.integers()), max_size=400), st.integers(2, 120))
def test_a_thinned_table_keeps_its_ends(rows: list[tuple[int]], most: int) -> None:
    found = thinned(rows, most)
    assert len(found) == min(len(rows), most)
    assert (list(found[:1]), list(found[-1:])) == (rows[:1], rows[-1:])


def test_the_tally_goes_on_where_it_was_and_begins_anew_for_another_journal() -> None:
    tallies, store, other = Tallies(), InMemoryPlaybook(), InMemoryPlaybook()
    first, second = bullet("Divide first."), bullet("Round last.")

    def write(to: InMemoryPlaybook, *operations: object) -> None:
        vectors = {one.bullet.id: vector(one.bullet.content) for one in operations if isinstance(one, Add)}
        with to.transaction(DOMAIN) as transaction:
            transaction.apply(list(operations), vectors=vectors, now=NOW)  # type: ignore[arg-type]

    write(store, Add(bullet=first), Add(bullet=second), Increment(bullet_id=first.id, episode_id="e", helpful=1))
    tally = tallies.upto(store, DOMAIN, 3)
    assert (tally.seq, tally.added, tally.votes) == (3, 2, 1)
    write(store, Promote(bullet_id=first.id, to=PlaybookStage.STAGING, reason="r"),
          Quarantine(bullet_id=second.id, reason="r"))  # fmt: skip
    tally = tallies.upto(store, DOMAIN, 5)
    assert (tally.seq, tally.added, tally.risen, tally.quarantined) == (5, 2, {"staging": {first.id}}, {second.id})
    write(other, Add(bullet=second))
    assert tallies.upto(other, DOMAIN, 1).added == 1
