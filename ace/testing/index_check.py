"""Does a vector index hold what the database holds? See `ace.testing.checks`, whose checker `indexed` this is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from ace.core.ports import PlaybookStore, VectorIndex, Vectors
from ace.errors import NotFound
from ace.models.playbook import Bullet, PlaybookStage

NEAREST, BEYOND = 10, 256
SAME = 0.99  # the cosine of a vector with itself, kept as float16


class Index(VectorIndex, Protocol):
    """An index that also tells what it found without asking the store about it."""

    def search(self, domain_id: str, query: Vectors, k: int = 10) -> list[tuple[str, float]]: ...


def indexed(store: PlaybookStore, index: Index) -> list[str]:
    """Each bullet the index lacks, holds for another stage, holds though it is gone, or has another's vector for."""
    return [f"{domain}: {said}" for domain in store.domains() for said in misplaced(store, index, domain)]


def misplaced(store: PlaybookStore, index: Index, domain: str) -> Iterator[str]:
    """The same for one domain."""
    bullets = {bullet.id: bullet for bullet in store.get_all(domain)}
    if not bullets:
        return
    try:
        vectors = store.vectors(domain, list(bullets))
    except NotFound as error:
        yield str(error)
        return
    everywhere = {own for own, _ in index.search(domain, vectors[0], 2 * len(bullets) + BEYOND)}
    for own in sorted(everywhere - bullets.keys()):
        yield f"the index has {own}, which the database has not"
    yield from _misshelved(index, domain, bullets, everywhere, vectors[:1])
    held = {own: row for own, row in zip(bullets, vectors, strict=True) if own in everywhere}
    yield from _unfound(index, domain, held)


def _misshelved(
    index: Index, domain: str, bullets: Mapping[str, Bullet], everywhere: Collection[str], query: Vectors
) -> Iterator[str]:
    for stage in PlaybookStage:
        hits = index.nearest(domain, query, k=len(bullets), stages={stage}).hits[0]
        found, expected = {hit.bullet.id for hit in hits}, {own for own, one in bullets.items() if one.stage == stage}
        for own in sorted(expected - found):
            yield f"the index lacks {own}" + (f" among {stage.value}" if own in everywhere else "")
        for own in sorted(found - expected):
            yield f"the index has {own} among {stage.value}, it is {bullets[own].stage.value}"


def _unfound(index: Index, domain: str, vectors: Mapping[str, Vectors]) -> Iterator[str]:
    """The bullets whose own vector does not find them."""
    for own, vector in vectors.items():
        hits = dict(index.search(domain, vector, NEAREST))
        if hits.get(own, 0.0) < SAME:
            yield f"the index has another vector for {own}"
