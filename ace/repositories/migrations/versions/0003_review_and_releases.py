"""Insights that wait for a person, and names for positions of a journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "review_items",
        sa.Column("domain_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("decided_at", sa.Double),
        sa.Column("decided_by", sa.String(200)),
        sa.Column("decision", sa.Text),
        sa.Column("bullet_id", sa.String(200)),
        sa.PrimaryKeyConstraint("domain_id", "id", name=op.f("pk_review_items")),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.domain_id"], name=op.f("fk_review_items_domains")),
        sa.CheckConstraint("state IN ('waiting', 'approved', 'rejected')", name=op.f("ck_review_items_state_known")),
    )
    op.create_index("idx_review_items_domain_state", "review_items", ["domain_id", "state", "created_at"])
    op.create_table(
        "releases",
        sa.Column("domain_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "name", name=op.f("pk_releases")),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.domain_id"], name=op.f("fk_releases_domains")),
        sa.CheckConstraint("position >= 0", name=op.f("ck_releases_position_counts")),
        sa.CheckConstraint("length(hash) = 64", name=op.f("ck_releases_hash_whole")),
    )


def downgrade() -> None:
    op.drop_table("releases")
    op.drop_table("review_items")
