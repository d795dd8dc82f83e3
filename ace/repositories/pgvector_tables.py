"""What `ACE_VECTOR_BACKEND=pgvector` keeps in Postgres, and how it gets there.

bullet_embeddings   each row of `bullet_vectors` as a `halfvec`, written by a trigger in the writer's own transaction
a graph (HNSW)      over one domain's embeddings, once it is large: an index of its own, in which no other tenant is

Law: nobody has to remember the index. Whoever writes a vector (this release, the one before it, a process that searches
with FAISS, a restored backup) fires the trigger, so there is no moment in which the index lacks what the journal has.
What is in use, and in which stage, is read from `playbook_bullets` itself, so a rollback needs no word to the index.

This is no migration: the extension may be absent, may want a superuser, and may come long after the schema. It is an
index, made by the first who needs it, and can be thrown away: DROP TABLE bullet_embeddings. The trigger passes over a
table that is gone, and the next process that searches with pgvector makes it anew.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.pool import NullPool

from ace.core.validation import check_domain
from ace.errors import SchemaMismatch
from ace.repositories.database import Database
from ace.repositories.outages import place, reraise
from ace.repositories.schema import ADVISORY_LOCK, migrate
from ace.repositories.statements import statement

LEAST_VERSION = (0, 8)  # iterative scans
FILLED_AT_ONCE = 2000
GRAPH_BYTES = 1600  # of memory to build it, for each vector of 384 numbers
GRAPH_MB_MIN, GRAPH_MB_MAX = 64, 2048

_EXTENSION = statement("SELECT installed_version, default_version FROM pg_available_extensions WHERE name = 'vector'")
_MADE = statement(
    "SELECT to_regclass('bullet_embeddings') IS NOT NULL AND EXISTS (SELECT 1 FROM pg_trigger"
    " WHERE tgrelid = to_regclass('bullet_vectors') AND tgname = 'bullet_vectors_embed' AND tgenabled <> 'D')"
)
_UNLIKE = (
    "NOT EXISTS (SELECT 1 FROM bullet_embeddings AS kept"
    " WHERE kept.domain_id = v.domain_id AND kept.bullet_id = v.bullet_id)"
)
_LACKING = statement(f"SELECT count(*) FROM bullet_vectors AS v WHERE {_UNLIKE}")
_FILL = statement(
    "WITH v AS MATERIALIZED (SELECT domain_id, bullet_id, vector FROM bullet_vectors"
    " WHERE (domain_id, bullet_id) > (:domain_id, :bullet_id) ORDER BY domain_id, bullet_id LIMIT :limit),"
    " made AS (INSERT INTO bullet_embeddings SELECT domain_id, bullet_id, ace_halfvec(vector) FROM v"
    f" WHERE {_UNLIKE} ON CONFLICT DO NOTHING)"
    " SELECT domain_id, bullet_id FROM v ORDER BY domain_id DESC, bullet_id DESC LIMIT 1"
)
_GRAPH = statement(
    "SELECT graph.indisvalid, pg_relation_size(graph.indexrelid) FROM pg_index AS graph JOIN pg_class AS class"
    " ON class.oid = graph.indexrelid WHERE graph.indrelid = to_regclass('bullet_embeddings') AND class.relname = :name"
)
_BYTES = statement(
    "SELECT coalesce(sum(pg_column_size(embedding)), 0) FROM bullet_embeddings WHERE domain_id = :domain_id"
)

_MAKE = (
    """CREATE TABLE IF NOT EXISTS bullet_embeddings (
        domain_id VARCHAR(64) NOT NULL,
        bullet_id VARCHAR(200) NOT NULL,
        embedding halfvec NOT NULL,
        CONSTRAINT pk_bullet_embeddings PRIMARY KEY (domain_id, bullet_id),
        CONSTRAINT fk_bullet_embeddings_bullet_vectors FOREIGN KEY (domain_id, bullet_id)
            REFERENCES bullet_vectors (domain_id, bullet_id) ON DELETE CASCADE
    ) WITH (toast_tuple_target = 8160)""",  # rows of up to 4,000 numbers stay where they are read
    # a little-endian float16 is a sign, five bits of exponent, ten of fraction; exact, 0.2 ms for 384 of them
    """CREATE OR REPLACE FUNCTION ace_halfvec(packed bytea) RETURNS halfvec
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    DECLARE
        scale CONSTANT float8[] := array(SELECT power(2.0::float8, greatest(e, 1) - 25)
            FROM generate_series(0, 31) AS e);
        numbers real[] := array_fill(0::real, ARRAY[length(packed) / 2]);
        high int;
        fraction int;
    BEGIN
        FOR i IN 1 .. length(packed) / 2 LOOP
            high := get_byte(packed, 2 * i - 1);
            fraction := (high & 3) * 256 + get_byte(packed, 2 * i - 2);
            fraction := fraction + CASE WHEN (high & 124) = 0 THEN 0 ELSE 1024 END;
            numbers[i] := CASE WHEN high >= 128 THEN -fraction ELSE fraction END * scale[((high & 124) >> 2) + 1];
        END LOOP;
        RETURN numbers::halfvec;
    END $$""",
    """CREATE OR REPLACE FUNCTION ace_embed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF to_regclass('bullet_embeddings') IS NOT NULL AND to_regproc('ace_halfvec') IS NOT NULL THEN
            INSERT INTO bullet_embeddings VALUES (NEW.domain_id, NEW.bullet_id, ace_halfvec(NEW.vector))
            ON CONFLICT (domain_id, bullet_id) DO UPDATE SET embedding = excluded.embedding;
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE OR REPLACE TRIGGER bullet_vectors_embed AFTER INSERT OR UPDATE OF vector ON bullet_vectors
    FOR EACH ROW EXECUTE FUNCTION ace_embed()""",
)


def make(database: Database) -> None:
    """Have extension, table and trigger there, and every vector in the table; cheap when they are.

    Raises SchemaMismatch, naming the remedy, where the server has no pgvector, an old one, or does not let us.
    """
    require_extension(database)
    if not is_made(database):
        migrate(database, _create)
    if lacking(database):
        fill(database)


def is_made(database: Database) -> bool:
    """Whether table and trigger are there."""
    return bool(database.rows(_MADE)[0][0])


def lacking(database: Database) -> int:
    """How many vectors the table does not have: those from before it was made."""
    return int(database.rows(_LACKING)[0][0])


def fill(database: Database) -> None:
    """Put in what is lacking, a page at a time, while others write."""
    after = ("", "")
    while rows := database.rows(_FILL, domain_id=after[0], bullet_id=after[1], limit=FILLED_AT_ONCE):
        after = rows[0]
    with database.transaction() as session:
        session.say("ANALYZE bullet_embeddings")


def version(database: Database) -> str | None:
    """pgvector's, where the extension is made in this database."""
    rows = database.rows(_EXTENSION)
    return rows[0][0] if rows else None


def graph(database: Database, domain_id: str) -> int | None:
    """The bytes of the domain's graph; None when it has none that can be used."""
    rows = database.rows(_GRAPH, name=_graph_name(domain_id))
    return int(rows[0][1]) if rows and rows[0][0] else None


def size(database: Database, domain_id: str) -> int:
    """The bytes of the domain's embeddings and of its graph."""
    return int(database.rows(_BYTES, domain_id=domain_id)[0][0]) + (graph(database, domain_id) or 0)


def build_graph(database: Database, domain_id: str, *, vectors: int, dimensions: int) -> float | None:
    """Build or rebuild the domain's graph; searches and merges go on. The seconds it took, or None when another
    process is at it already.

    Not in parallel: that wants as much of /dev/shm, of which a container has 64 MB.
    """
    name, started = _graph_name(check_domain(domain_id)), time.monotonic()
    megabytes = min(max(GRAPH_MB_MIN, vectors * GRAPH_BYTES * dimensions // 384 // 2**20), GRAPH_MB_MAX)
    with _patient(database, megabytes) as connection:
        if not _held(connection, name):
            return None
        if graph(database, domain_id) is not None:
            connection.exec_driver_sql(f"REINDEX INDEX CONCURRENTLY {name}")
        else:  # perhaps an invalid one is there, whose maker was killed
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            connection.exec_driver_sql(
                f"CREATE INDEX CONCURRENTLY {name} ON bullet_embeddings"
                f" USING hnsw (CAST(embedding AS halfvec({dimensions})) halfvec_ip_ops) WHERE domain_id = '{domain_id}'"
            )
        connection.exec_driver_sql("ANALYZE bullet_embeddings, playbook_bullets")
    return time.monotonic() - started


def drop_graph(database: Database, domain_id: str) -> None:
    """The domain is compared with one by one from now on."""
    with _patient(database, GRAPH_MB_MIN) as connection:
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {_graph_name(domain_id)}")


def require_extension(database: Database) -> None:
    """Raises SchemaMismatch, naming the remedy, unless this server offers a pgvector that will do."""
    rows = database.rows(_EXTENSION)
    where = f"ACE_VECTOR_BACKEND is pgvector, but the database {place(database.url)}"
    if not rows:
        raise SchemaMismatch(
            f"{where} has no extension 'vector' to offer. Install pgvector 0.8 or later on that server (Debian: "
            "postgresql-<version>-pgvector; image: pgvector/pgvector), or set ACE_VECTOR_BACKEND=faiss."
        )
    found = rows[0][0] or rows[0][1]
    if _numbers(found) < LEAST_VERSION:
        remedy = "ALTER EXTENSION vector UPDATE" if _numbers(rows[0][1]) >= LEAST_VERSION else "install pgvector 0.8"
        raise SchemaMismatch(f"{where} has pgvector {found}, which is too old. As its administrator, {remedy}.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _create(connection: Connection) -> None:
    try:
        connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
    except ProgrammingError as error:
        raise SchemaMismatch(
            "ACE_VECTOR_BACKEND is pgvector, but this database user may not make the extension. Let a superuser say "
            "once, in that database: CREATE EXTENSION vector. Or set ACE_VECTOR_BACKEND=faiss."
        ) from error
    for words in _MAKE:
        connection.exec_driver_sql(words)


@contextmanager
def _patient(database: Database, megabytes: int) -> Iterator[Connection]:
    """A connection of one's own in autocommit, for work that may take minutes and holds nobody up."""
    options = f"-c statement_timeout=0 -c lock_timeout=0 -c maintenance_work_mem={megabytes}MB"
    options += " -c max_parallel_maintenance_workers=0"
    engine = create_engine(
        database.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"options": options}
    )
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        reraise(error.orig if isinstance(error.orig, Exception) else error, database.url)
    finally:
        engine.dispose()


def _held(connection: Connection, name: str) -> bool:
    """Whether we alone may work on this graph; until the connection is closed."""
    ask = f"SELECT pg_try_advisory_lock({ADVISORY_LOCK}, hashtext('{name}'))"
    return bool(connection.exec_driver_sql(ask).scalar())


def _graph_name(domain_id: str) -> str:
    return f"idx_bullet_embeddings_{hashlib.sha256(domain_id.encode()).hexdigest()[:16]}"
