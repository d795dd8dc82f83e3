"""The first tables: domains, their journal, the state it adds up to, vectors, idempotency keys, circuit breakers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TABLES = ("domains", "playbook_journal", "playbook_bullets", "bullet_votes", "bullet_links", "bullet_vectors",
          "idempotency_keys", "circuit_breakers")  # fmt: skip


def upgrade() -> None:
    create_domains_and_journal()
    create_bullets()
    create_votes_and_links()
    create_vectors()
    create_idempotency_keys()
    create_circuit_breakers()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def timestamp() -> sa.types.TypeEngine[Any]:
    return sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")


def domain_of(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("domain_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.domain_id"], name=op.f(f"fk_{table}_domains")),
    ]


def create_domains_and_journal() -> None:
    op.create_table(
        "domains",
        sa.Column("domain_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("head_hash", sa.String(64), nullable=False),
        sa.Column("dimensions", sa.Integer),
        sa.Column("created_at", timestamp()),
        sa.PrimaryKeyConstraint("domain_id", name=op.f("pk_domains")),
        sa.CheckConstraint("seq >= 0", name=op.f("ck_domains_seq_counts")),
        sa.CheckConstraint("length(head_hash) = 64", name=op.f("ck_domains_hash_whole")),
    )
    op.create_table(
        "playbook_journal",
        *domain_of("playbook_journal"),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "seq", name=op.f("pk_playbook_journal")),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_playbook_journal_seq_counts")),
        sa.CheckConstraint(
            "length(previous) = 64 AND length(hash) = 64", name=op.f("ck_playbook_journal_hashes_whole")
        ),
    )


def create_bullets() -> None:
    op.create_table(
        "playbook_bullets",
        *domain_of("playbook_bullets"),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("section", sa.String(32)),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("helpful_count", sa.Integer, nullable=False),
        sa.Column("harmful_count", sa.Integer, nullable=False),
        sa.Column("origin", sa.JSON, nullable=False),
        sa.Column("born_seq", sa.BigInteger, nullable=False),
        sa.Column("created_at", timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "id", name=op.f("pk_playbook_bullets")),
        sa.CheckConstraint(
            "stage IN ('shadow', 'staging', 'prod', 'quarantined')", name=op.f("ck_playbook_bullets_stage_known")
        ),
        sa.CheckConstraint("content <> ''", name=op.f("ck_playbook_bullets_content_said")),
        sa.CheckConstraint("helpful_count >= 0 AND harmful_count >= 0", name=op.f("ck_playbook_bullets_votes_counted")),
        sa.CheckConstraint("born_seq >= 1", name=op.f("ck_playbook_bullets_born_by_entry")),
    )
    sectioned = sa.text("section IS NOT NULL")
    op.create_index("idx_playbook_bullets_domain_stage", "playbook_bullets", ["domain_id", "stage"])
    op.create_index(
        "idx_playbook_bullets_section",
        "playbook_bullets",
        ["section"],
        sqlite_where=sectioned,
        postgresql_where=sectioned,
    )


def create_votes_and_links() -> None:
    op.create_table(
        "bullet_votes",
        *domain_of("bullet_votes"),
        sa.Column("episode_id", sa.String(200), nullable=False),
        sa.Column("bullet_id", sa.String(200), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "episode_id", "bullet_id", name=op.f("pk_bullet_votes")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bullet_links",
        *domain_of("bullet_links"),
        sa.Column("left_id", sa.String(200), nullable=False),
        sa.Column("right_id", sa.String(200), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "left_id", "right_id", name=op.f("pk_bullet_links")),
    )


def create_vectors() -> None:
    op.create_table(
        "bullet_vectors",
        *domain_of("bullet_vectors"),
        sa.Column("bullet_id", sa.String(200), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "bullet_id", name=op.f("pk_bullet_vectors")),
    )


def create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        *domain_of("idempotency_keys"),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("request_hash", sa.String(128), nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "key", name=op.f("pk_idempotency_keys")),
    )


def create_circuit_breakers() -> None:
    op.create_table(
        "circuit_breakers",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("probe_at", sa.Double, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("total_failures", sa.BigInteger, nullable=False),
        sa.Column("total_successes", sa.BigInteger, nullable=False),
        sa.Column("open_count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_circuit_breakers")),
        sa.CheckConstraint("state IN ('closed', 'open', 'half_open')", name=op.f("ck_circuit_breakers_state_known")),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_circuit_breakers_failures_counted")),
    )
