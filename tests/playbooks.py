"""Bullets, vectors and histories for tests about playbooks."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ace.core import replay
from ace.core.journal import first_broken
from ace.core.ports import PlaybookStore, Vectors
from ace.errors import InvalidInput
from ace.models.journal import Entry
from ace.models.observation import Lot, Observation
from ace.models.plan import (
    Add,
    Archive,
    Increment,
    Observe,
    Operation,
    Pairs,
    Promote,
    Quarantine,
    Relate,
    Restore,
    Rollback,
)
from ace.models.playbook import Bullet, Link, Origin, PlaybookStage, Section, SourceClass, bullet_id

DOMAIN = "customer-a"
NOW = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)
DIMENSIONS = 8


def bullet(text: str, *, domain: str = DOMAIN, section: Section = Section.STRATEGY, **origin: Any) -> Bullet:
    """A new bullet as the Curator would add it."""
    return Bullet(id=bullet_id(domain, section, text), domain_id=domain, content=text, section=section,
                  origin=Origin(**origin))  # fmt: skip


def vector(text: str) -> Vectors:
    """A unit vector that is a function of the text."""
    seed = int.from_bytes(hashlib.sha256(text.encode(errors="replace")).digest()[:8])
    drawn = np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def vectors(operations: list[Operation]) -> dict[str, Vectors]:
    """A vector for each bullet these operations add."""
    return {op.bullet.id: vector(op.bullet.content) for op in operations if isinstance(op, Add)}


def write(store: PlaybookStore, *operations: Operation, domain: str = DOMAIN, now: datetime = NOW) -> list[Entry]:
    """Carry the operations out in one transaction."""
    with store.transaction(domain) as transaction:
        return transaction.apply(operations, vectors=vectors(list(operations)), now=now)


def add(store: PlaybookStore, *texts: str, domain: str = DOMAIN) -> list[str]:
    """Add a bullet per text in one transaction; their ids."""
    made = [bullet(text, domain=domain) for text in texts]
    write(store, *(Add(bullet=one) for one in made), domain=domain)
    return [one.id for one in made]


def helpful(bullet_id: str, episode: str) -> Increment:
    return Increment(bullet_id=bullet_id, episode_id=episode, helpful=1)


def state_of(store: PlaybookStore, domain: str = DOMAIN) -> replay.State:
    """What the store's reads say, votes among those the journal has ever counted."""
    entries = store.entries(domain)
    ever = {(entry.body["bullet_id"], entry.body["episode_id"]) for entry in entries if entry.kind == "increment"}
    with store.transaction(domain) as transaction:
        votes = transaction.voted(ever)
    bullets = {one.id: one for one in store.get_all(domain)}
    return replay.State(bullets=bullets, links=frozenset(store.links(domain)), votes=frozenset(votes))


def assert_sound(store: PlaybookStore, domain: str = DOMAIN) -> list[Entry]:
    """The journal has no gap, its chain holds, it ends at the head, and it adds up to what the reads say."""
    entries = store.entries(domain)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert first_broken(entries) is None
    head = store.head(domain)
    assert (head.seq, head.hash) == ((entries[-1].seq, entries[-1].hash) if entries else (0, "0" * 64))
    expected, found = replay.replay(entries), state_of(store, domain)
    assert found == expected
    assert list(found.bullets) == list(expected.bullets), "oldest first"
    return entries


TEXTS = ("check the units", "never round twice", "Größe vor Preis — 先に確認", "rückwärts rechnen")
EPISODES = ("e1", "e2", "e3")


def moves(domain: str = DOMAIN) -> st.SearchStrategy[Operation]:
    """One operation on a few bullets; it may be one that cannot follow what was before."""
    pool = st.sampled_from([bullet(text, domain=domain, source=SourceClass.HUMAN) for text in TEXTS])
    ids = pool.map(lambda one: one.id)
    reasons = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
    stages = st.sampled_from([PlaybookStage.STAGING, PlaybookStage.PROD])
    rulings = st.sampled_from([None, {"policy": "fixed"}])
    return st.one_of(
        st.builds(Add, bullet=pool),
        st.builds(Increment, bullet_id=ids, episode_id=st.sampled_from(EPISODES), helpful=st.integers(0, 2)),
        st.builds(Increment, bullet_id=ids, episode_id=st.sampled_from(EPISODES), harmful=st.just(1)),
        st.builds(Promote, bullet_id=ids, to=stages, reason=reasons, ruling=rulings),
        st.builds(Quarantine, bullet_id=ids, reason=reasons, ruling=rulings),
        st.builds(Archive, bullet_id=ids, reason=reasons, superseded_by=st.none() | ids),
        st.builds(Restore, bullet_id=ids, reason=reasons),
        st.builds(Relate, link=st.builds(Link.between, ids, ids)),
        st.builds(Rollback, to=st.integers(-1, 12), reason=reasons),
        st.builds(Observe, observation=observations(ids)),
        st.builds(Pairs, bullet_id=ids, wins=st.integers(-1, 3), losses=st.integers(0, 3), run_id=reasons),
    )


def observations(ids: st.SearchStrategy[str]) -> st.SearchStrategy[Observation]:
    """What an episode showed, about these bullets or about ones that are not there."""
    shares = st.floats(0, 1, allow_nan=False)
    lots = st.lists(st.builds(Lot, bullet_id=ids | st.just("gone"), chance=shares, shown=st.booleans()), max_size=3)
    return st.builds(
        Observation, episode_id=st.sampled_from(EPISODES), success=st.sampled_from([None, True, False]),
        principal=st.sampled_from([None, "key-1"]), position=st.none() | st.integers(0, 9), lots=lots.map(tuple),
        holdout=shares, held_out=st.booleans(), latency_s=shares, failed=st.booleans(),
    )  # fmt: skip


def histories_of(domain: str) -> st.SearchStrategy[list[Operation]]:
    """Operations that can follow one another; the first ones add bullets for the others to be about."""
    adds = st.integers(0, len(TEXTS)).map(lambda n: [Add(bullet=bullet(text, domain=domain)) for text in TEXTS[:n]])
    rest = st.integers(0, 30).flatmap(lambda n: st.lists(moves(domain), min_size=n, max_size=n))
    return st.tuples(adds, rest).map(lambda parts: possible([*parts[0], *parts[1]]))


def possible(operations: list[Operation]) -> list[Operation]:
    """Those of the operations that can follow the ones kept before them."""
    kept: list[Operation] = []
    for operation in operations:
        try:
            replay.fold([*kept, operation])
        except InvalidInput:
            continue
        kept.append(operation)
    return kept
