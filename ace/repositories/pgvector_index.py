"""`ace.core.ports.VectorIndex` in Postgres itself, with pgvector: one index for any number of processes.

    bullets asked for      how they are found
    up to EXACT_UNTIL      compared one by one: recall 1
    more                   by the domain's graph (HNSW), scanned on until `k` of the stages wanted are found, or one by
                           one where Postgres thinks that cheaper, where there is no graph yet, or it yields too few

A search is one snapshot: the journal's head, the bullets and their vectors are of the same moment (see
`ace.repositories.pgvector_tables` for why). Every statement names one domain. Figures: docs/adr/0008-pgvector.md.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ace.core.ports import Hit, Neighbourhood, Vectors
from ace.core.queries import check_k, check_length, one_row, unit_rows
from ace.core.validation import check_domain
from ace.errors import InvalidInput
from ace.models.playbook import PlaybookStage
from ace.repositories import pgvector_tables, statements
from ace.repositories.database import Database, Row, Session, get_database
from ace.repositories.rows import bullet_from_row
from ace.repositories.schema import require_head
from ace.repositories.statements import Statement, statement

EXACT_UNTIL = 3_000  # 4 ms of a core to compare them all, 1 ms by a graph; Postgres puts the limit there, too
CANDIDATES, CANDIDATES_MAX = 100, 1000  # hnsw.ef_search, and the most pgvector takes

log = logging.getLogger(__name__)

_WANTED = "bullet.domain_id = :domain_id AND bullet.stage = ANY(:stages)"
_DOMAIN = statement(
    "SELECT seq, dimensions, (SELECT count(*) FROM (SELECT 1 FROM playbook_bullets AS bullet"
    f" WHERE {_WANTED} LIMIT :limit) AS counted) FROM domains WHERE domain_id = :domain_id"
)
_SET = statement(
    "SELECT set_config('hnsw.ef_search', :candidates, true), set_config('hnsw.iterative_scan', 'relaxed_order', true),"
    " set_config('plan_cache_mode', 'force_custom_plan', true)"  # a plan for any domain cannot use the graph of one
)


class PgVectorIndex:
    """The index of one database's domains; without a database, of the one the settings name. Threads may share it.

    Raises InvalidInput for SQLite; SchemaMismatch where pgvector cannot be used, saying what to do; StoreUnavailable.
    """

    def __init__(self, database: Database | None = None, *, exact_until: int = EXACT_UNTIL) -> None:
        self._database, self._exact_until = database or get_database(), exact_until
        if self._database.dialect != "postgresql":
            raise InvalidInput("ACE_VECTOR_BACKEND", "pgvector needs Postgres, and ACE_DATABASE_URL names SQLite",
                               "Set ACE_DATABASE_URL=postgresql://…, or ACE_VECTOR_BACKEND=faiss")  # fmt: skip
        pgvector_tables.make(require_head(self._database))

    def nearest(
        self, domain_id: str, vectors: Vectors, *, k: int, stages: Collection[PlaybookStage] | None = None
    ) -> Neighbourhood:
        """The `k` nearest bullets of each row of `vectors` (float32[n, d]), best first, as of the journal's head.

        Raises InvalidInput for vectors of another shape or with NaN, StoreUnavailable.
        """
        rows = unit_rows(vectors)
        check_k(k)
        wanted = [stage.value for stage in (PlaybookStage if stages is None else stages)]
        found: list[list[Hit]] = [[] for _ in rows]
        compared = max(self._exact_until, k)  # so many are compared one by one
        about = {"domain_id": check_domain(domain_id), "stages": wanted}
        with self._database.snapshot() as session:
            known = session.rows(_DOMAIN, **about, limit=compared + 1)
            position, dimensions, size = known[0] if known else (0, None, 0)
            if dimensions is not None and len(rows) and k:
                check_length(rows, dimensions)
                found = self._found(session, rows, about | {"k": k}, by_graph=size > compared)
        return Neighbourhood(position=position, hits=tuple(map(tuple, found)))

    def search(self, domain_id: str, query: npt.ArrayLike, k: int = 10) -> list[tuple[str, float]]:
        """The `k` nearest of all stages to `query` (float32[d], of any length): (bullet id, cosine), best first."""
        hits = self.nearest(domain_id, one_row(query), k=k).hits[0]
        return [(hit.bullet.id, hit.similarity) for hit in hits]

    def get_index_size(self, domain_id: str) -> int:
        """How many vectors the domain has now."""
        return sum(
            count for _, count in self._database.rows(statements.COUNT_BY_STAGE, domain_id=check_domain(domain_id))
        )

    def tend(self, domain_id: str) -> None:
        """Give the domain its graph when it has outgrown comparing; searches and merges go on meanwhile."""
        held = self.get_index_size(domain_id)
        if held > self._exact_until and pgvector_tables.graph(self._database, domain_id) is None:
            self._build(domain_id, held, f"it outgrew {self._exact_until} vectors")

    def rebuild(self, domain_id: str) -> int:
        """Make the domain's index anew; how many vectors it holds."""
        pgvector_tables.make(self._database)
        held = self.get_index_size(domain_id)
        if held > self._exact_until:
            self._build(domain_id, held, "a rebuild was asked for")
        else:
            pgvector_tables.drop_graph(self._database, domain_id)
        return held

    def nbytes(self, domain_id: str) -> int:
        """What the domain's vectors and graph take in the database."""
        return pgvector_tables.size(self._database, domain_id)

    def is_ready(self) -> bool:
        """Whether it can be searched. Raises StoreUnavailable."""
        return pgvector_tables.is_made(self._database)

    def _build(self, domain_id: str, held: int, reason: str) -> None:
        dimensions = self._database.rows(statements.HEAD, domain_id=domain_id)[0][2]
        seconds = pgvector_tables.build_graph(self._database, domain_id, vectors=held, dimensions=dimensions)
        if seconds is not None:
            log.info("index_rebuilt", extra={"domain": domain_id, "vectors": held, "seconds": round(seconds, 3),
                                             "reason": reason})  # fmt: skip

    def _found(self, session: Session, rows: Vectors, asked: dict[str, Any], *, by_graph: bool) -> list[list[Hit]]:
        asked = asked | {"queries": _array(rows)}
        if by_graph:
            session.rows(_SET, candidates=str(min(max(CANDIDATES, 2 * asked["k"]), CANDIDATES_MAX)))
        rows_found = session.rows(_nearest(rows.shape[1], by_graph), **asked)
        if by_graph and len(rows_found) < asked["k"] * len(rows):  # the graph was left too soon
            rows_found = session.rows(_nearest(rows.shape[1], False), **asked)
        return _sorted(asked["domain_id"], len(rows), rows_found)


@lru_cache(maxsize=16)
def _nearest(dimensions: int, by_graph: bool) -> Statement:
    """The `:k` nearest of each of `:queries`. The order is that of a graph, or such that none can be used for it."""
    distance = "kept.embedding <#> asked.vector"
    order = f"CAST(kept.embedding AS halfvec({dimensions})) <#> CAST(asked.vector AS halfvec({dimensions}))"
    return statement(
        "SELECT asked.number, found.distance, found.id, content, section, stage, helpful_count, harmful_count, origin"
        " FROM unnest(CAST(:queries AS halfvec[])) WITH ORDINALITY AS asked(vector, number) CROSS JOIN LATERAL"
        f" (SELECT bullet.id, ({distance}) + 0 AS distance FROM bullet_embeddings AS kept"
        " JOIN playbook_bullets AS bullet ON bullet.domain_id = kept.domain_id AND bullet.id = kept.bullet_id"
        f" WHERE kept.domain_id = :domain_id AND {_WANTED} ORDER BY {order if by_graph else 'distance'} LIMIT :k)"
        " AS found JOIN playbook_bullets AS bullet ON bullet.domain_id = :domain_id AND bullet.id = found.id"
    )


def _sorted(domain_id: str, n: int, rows: Sequence[Row]) -> list[list[Hit]]:
    """The hits of each query, best first, equals by id."""
    found: list[list[Hit]] = [[] for _ in range(n)]
    for number, distance, *bullet in rows:  # minus the inner product
        kept = bullet_from_row(domain_id, tuple(bullet))
        found[number - 1].append(Hit(bullet=kept, similarity=min(max(-distance, -1.0), 1.0)))
    return [sorted(hits, key=lambda hit: (-hit.similarity, hit.bullet.id)) for hits in found]


def _array(rows: Vectors) -> str:
    """A literal of halfvec[]; the sixth place is finer than a float16 of a unit vector."""
    return "{" + ",".join(f'"{json.dumps(row)}"' for row in rows.astype(np.float64).round(6).tolist()) + "}"
