"""The playbook as a map: bullets that mean similar things lie near each other.

A point's place is its vector on the two directions in which the vectors differ most (principal components), computed
once per journal position from the bullets trusted most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from fastapi.responses import JSONResponse, Response

from ace.core.ports import BulletFilter, PlaybookStore, Vectors
from ace.models.playbook import Bullet, PlaybookStage
from ace.web.access import no_domain
from ace.web.pages.door import Visit, page

MOST, CACHED = 2_000, 4
IN_TABLE, LINKS = 60, 40
TEXT = 120
ORDER = (PlaybookStage.PROD, PlaybookStage.STAGING, PlaybookStage.SHADOW)


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A bullet and its place, -1..1 both ways."""

    bullet: Bullet
    x: float
    y: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Map:
    """`links` are pairs of numbers of points; `explained` is the share of all differences that two directions show."""

    points: tuple[Point, ...]
    links: tuple[tuple[int, int], ...]
    explained: float


@page("/domains/{domain}/map")
def show(visit: Visit) -> Response:
    drawn = _map(visit)
    pairs = [(drawn.points[left].bullet, drawn.points[right].bullet) for left, right in drawn.links[:LINKS]]
    total = sum(visit.app.store.count_by_stage(visit.domain).values())
    nearby = sorted(drawn.points, key=lambda point: (round(point.y * 4), point.x))[:IN_TABLE]
    return visit.show("map.html", part="map", map=drawn, total=total, nearby=nearby, pairs=pairs)


@page("/domains/{domain}/map.json")
def points(visit: Visit) -> Response:
    """The points for the script that draws them."""
    drawn = _map(visit)
    listed: list[list[Any]] = [
        [one.bullet.id, one.bullet.stage.value, round(one.x, 4), round(one.y, 4), one.bullet.content[:TEXT]]
        for one in drawn.points
    ]
    return JSONResponse({"points": listed, "links": drawn.links})


def _map(visit: Visit) -> Map:
    head = visit.app.store.head(visit.domain)
    if not head.seq:
        raise no_domain(visit.domain)
    return _drawn(_Held(visit.app.store), visit.domain, head.seq, head.hash)


class _Held:
    """The store, as part of a cache's key: equal to itself alone."""

    def __init__(self, store: PlaybookStore) -> None:
        self.store = store

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.store is self.store

    def __hash__(self) -> int:
        return id(self.store)


@lru_cache(maxsize=CACHED)
def _drawn(held: _Held, domain: str, position: int, digest: str) -> Map:
    """The map as of a position; these name what is read, and are no more than the cache's key."""
    del position, digest
    bullets = _trusted_first(held.store, domain)
    places, explained = project(held.store.vectors(domain, [one.id for one in bullets]))
    number = {one.id: at for at, one in enumerate(bullets)}
    links = sorted((number[link.left], number[link.right]) for link in held.store.links(domain)
                   if link.left in number and link.right in number)  # fmt: skip
    drawn = tuple(Point(bullet=one, x=float(x), y=float(y)) for one, (x, y) in zip(bullets, places, strict=True))
    return Map(points=drawn, links=tuple(links), explained=explained)


def _trusted_first(store: PlaybookStore, domain: str) -> list[Bullet]:
    found: list[Bullet] = []
    for stage in (*ORDER, *(one for one in PlaybookStage if one not in ORDER)):
        if len(found) < MOST:
            page_of = store.page(domain, BulletFilter(stage=stage), limit=MOST - len(found))
            found += [one.bullet for one in page_of]
    return found


def project(vectors: Vectors) -> tuple[Sequence[tuple[float, float]], float]:
    """Each row's place in the plane in which the rows differ most, within -1..1; and the share of it they show."""
    if len(vectors) < 2:
        return [(0.0, 0.0)] * len(vectors), 1.0
    centred = np.asarray(vectors, dtype=np.float64) - np.mean(vectors, axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    main = directions[:, [-1, -2]] if directions.shape[1] > 1 else np.hstack([directions, 0 * directions])
    main = main * np.where(np.abs(main).max(axis=0) == main.max(axis=0), 1.0, -1.0)  # one of two mirror images
    flat = centred @ main
    flat /= max(float(np.abs(flat).max()), 1e-12)
    total = float(values.sum())
    return [(float(x), float(y)) for x, y in flat], float(values[-2:].sum()) / total if total > 0 else 1.0
