"""The tables, as SQLAlchemy Core. The migrations in `migrations/` create them; a test holds the two equal.

domains           one row a domain: the head of its journal; whoever writes to the domain holds this row's lock
playbook_journal  every change in order; `body` and `at` are kept as the very text the hash covers
playbook_bullets  the state the journal adds up to, kept for speed      } a rollback
bullet_votes      which episode has voted on which bullet               } makes these three
bullet_links      contradictions                                        } what they were
bullet_vectors    float16 little endian; outlives its bullet, so that a rollback can bring the bullet back
idempotency_keys  what a request was answered, so that it is not carried out twice
circuit_breakers  one row a breaker, shared by every process
episodes          what agents reported, and how far each has come: the reflector's lease queue
assignments       tasks that workers do for a run: a lease queue of the same kind
api_keys          who may do what; of a secret only its SHA-256
server_secrets    random values every process shares, such as the one that signs receipts
leases            who leads, and until when
review_items      insights that wait for a person, and the rejected ones, which are not proposed again
releases          names for positions of a domain's journal
domain_usage      what a domain has spent on language models, a row a day (UTC)
schema_floor      the oldest revision whose code can still work with this schema

`bullet_embeddings`, where pgvector searches, is an index and stands in `ace.repositories.pgvector_tables`.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from ace.core.breaker import BreakerState
from ace.models.access import Role
from ace.models.episode import EpisodeState
from ace.models.playbook import PlaybookStage
from ace.models.review import ReviewState

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Timestamp = DateTime(timezone=True).with_variant(String(32), "sqlite")  # SQLite: ISO 8601 in UTC


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value.value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def _domain() -> Column[str]:
    return Column("domain_id", String(64), ForeignKey("domains.domain_id"), primary_key=True)


domains = Table(
    "domains",
    metadata,
    Column("domain_id", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("head_hash", String(64), nullable=False),
    Column("dimensions", Integer),  # of its vectors; unknown until the first bullet
    Column("created_at", Timestamp),  # unknown until the first entry
    CheckConstraint("seq >= 0", name="seq_counts"),
    CheckConstraint("length(head_hash) = 64", name="hash_whole"),
)

bullets = Table(
    "playbook_bullets",
    metadata,
    _domain(),
    Column("id", String(200), primary_key=True),
    Column("content", Text, nullable=False),
    Column("section", String(32)),
    Column("stage", String(16), nullable=False),
    Column("helpful_count", Integer, nullable=False),
    Column("harmful_count", Integer, nullable=False),
    Column("origin", JSON, nullable=False),
    Column("born_seq", BigInteger, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    _one_of("stage", PlaybookStage),
    CheckConstraint("content <> ''", name="content_said"),
    CheckConstraint("helpful_count >= 0 AND harmful_count >= 0", name="votes_counted"),
    CheckConstraint("born_seq >= 1", name="born_by_entry"),
)

_in_a_section = bullets.c.section.is_not(None)
Index("idx_playbook_bullets_domain_stage", bullets.c.domain_id, bullets.c.stage)
Index("idx_playbook_bullets_domain_born", bullets.c.domain_id, bullets.c.born_seq)
Index(
    "idx_playbook_bullets_section",
    bullets.c.section,
    sqlite_where=_in_a_section,
    postgresql_where=_in_a_section,
)

journal = Table(
    "playbook_journal",
    metadata,
    _domain(),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    CheckConstraint("seq >= 1", name="seq_counts"),
    CheckConstraint("length(previous) = 64 AND length(hash) = 64", name="hashes_whole"),
)

vectors = Table(
    "bullet_vectors",
    metadata,
    _domain(),
    Column("bullet_id", String(200), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

votes = Table(
    "bullet_votes",
    metadata,
    _domain(),
    Column("episode_id", String(200), primary_key=True),  # before the bullet: votes are looked up by episode
    Column("bullet_id", String(200), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

links = Table(
    "bullet_links",
    metadata,
    _domain(),
    Column("left_id", String(200), primary_key=True),
    Column("right_id", String(200), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    _domain(),
    Column("key", String(200), primary_key=True),
    Column("request_hash", String(128), nullable=False),
    Column("answer", Text, nullable=False),
)

breakers = Table(
    "circuit_breakers",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("probe_at", Double, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("total_failures", BigInteger, nullable=False),
    Column("total_successes", BigInteger, nullable=False),
    Column("open_count", BigInteger, nullable=False),
    _one_of("state", BreakerState),
    CheckConstraint("failures >= 0", name="failures_counted"),
)

episodes = Table(
    "episodes",
    metadata,
    _domain(),
    Column("id", String(200), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("body", Text, nullable=False),  # the report, as canonical JSON
    Column("request_hash", String(128), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Double, nullable=False),  # not before this second is it taken; while leased: when the lease ends
    Column("owner", String(200)),
    Column("reported_at", Double, nullable=False),
    Column("result", Text),
    Column("error", Text),
    _one_of("state", EpisodeState),
    CheckConstraint("attempts >= 0", name="attempts_counted"),
)
Index("idx_episodes_state_due", episodes.c.state, episodes.c.due_at)

assignments = Table(
    "assignments",
    metadata,
    _domain(),
    Column("id", String(200), primary_key=True),
    Column("run_id", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("body", Text, nullable=False),  # the task and what to do with its lesson, as canonical JSON
    Column("attempts", Integer, nullable=False),
    Column("due_at", Double, nullable=False),  # as in `episodes`
    Column("owner", String(200)),
    Column("reported_at", Double, nullable=False),
    Column("result", Text),  # the lesson, or what its merge came to
    Column("error", Text),
    _one_of("state", EpisodeState),
    CheckConstraint("attempts >= 0", name="attempts_counted"),
)
Index("idx_assignments_state_due", assignments.c.state, assignments.c.due_at)
Index("idx_assignments_run", assignments.c.domain_id, assignments.c.run_id, assignments.c.state)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("domains", Text),  # a JSON list; NULL: all
    Column("label", String(200), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    _one_of("role", Role),
    CheckConstraint("length(secret_hash) = 64", name="hash_whole"),
)

server_secrets = Table(
    "server_secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(128), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("until", Double, nullable=False),
)

review_items = Table(
    "review_items",
    metadata,
    _domain(),
    Column("id", String(200), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("body", Text, nullable=False),  # the insight, why it waits and where it is from, as canonical JSON
    Column("vector", LargeBinary, nullable=False),  # of its text, as in bullet_vectors
    Column("created_at", Double, nullable=False),
    Column("decided_at", Double),
    Column("decided_by", String(200)),
    Column("decision", Text),  # the person's reason
    Column("bullet_id", String(200)),
    _one_of("state", ReviewState),
)
Index("idx_review_items_domain_state", review_items.c.domain_id, review_items.c.state, review_items.c.created_at)

releases = Table(
    "releases",
    metadata,
    _domain(),
    Column("name", String(200), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    CheckConstraint("position >= 0", name="position_counts"),
    CheckConstraint("length(hash) = 64", name="hash_whole"),
)

domain_usage = Table(
    "domain_usage",
    metadata,
    _domain(),
    Column("day", String(10), primary_key=True),  # 2026-11-25
    Column("calls", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("cost_usd", Double, nullable=False),
    CheckConstraint("calls >= 0 AND tokens >= 0 AND cost_usd >= 0", name="spent"),
)

schema_floor = Table("schema_floor", metadata, Column("revision", String(32), primary_key=True))
