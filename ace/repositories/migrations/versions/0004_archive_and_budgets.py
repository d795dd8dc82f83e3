"""A stage for bullets that are out of use without blame, and what each domain has spent on language models.

From here on the journal has kinds that older code cannot read, so the floor rises.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

CHECK = "ck_playbook_bullets_stage_known"
KNOWN = "stage IN ('shadow', 'staging', 'prod', 'quarantined', 'archived')"
KNOWN_BEFORE = "stage IN ('shadow', 'staging', 'prod', 'quarantined')"
SECTIONED = sa.text("section IS NOT NULL")


def upgrade() -> None:
    know_stages(KNOWN)
    op.create_table(
        "domain_usage",
        sa.Column("domain_id", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_usd", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "day", name=op.f("pk_domain_usage")),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.domain_id"], name=op.f("fk_domain_usage_domains")),
        sa.CheckConstraint("calls >= 0 AND tokens >= 0 AND cost_usd >= 0", name=op.f("ck_domain_usage_spent")),
    )
    op.execute("UPDATE schema_floor SET revision = '0004'")


def downgrade() -> None:
    op.execute("UPDATE schema_floor SET revision = '0002'")
    op.drop_table("domain_usage")
    op.execute("UPDATE playbook_bullets SET stage = 'quarantined' WHERE stage = 'archived'")
    know_stages(KNOWN_BEFORE)


def know_stages(known: str) -> None:
    """Replace the check on `stage`; SQLite has to copy the table for it."""
    if op.get_context().dialect.name == "sqlite":
        copy_bullets(known)
    else:
        op.drop_constraint(op.f(CHECK), "playbook_bullets")
        op.create_check_constraint(op.f(CHECK), "playbook_bullets", known)


def copy_bullets(known: str) -> None:
    op.create_table(
        "playbook_bullets_new",
        sa.Column("domain_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("section", sa.String(32)),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("helpful_count", sa.Integer, nullable=False),
        sa.Column("harmful_count", sa.Integer, nullable=False),
        sa.Column("origin", sa.JSON, nullable=False),
        sa.Column("born_seq", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "id", name=op.f("pk_playbook_bullets")),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.domain_id"], name=op.f("fk_playbook_bullets_domains")),
        sa.CheckConstraint(known, name=op.f(CHECK)),
        sa.CheckConstraint("content <> ''", name=op.f("ck_playbook_bullets_content_said")),
        sa.CheckConstraint("helpful_count >= 0 AND harmful_count >= 0", name=op.f("ck_playbook_bullets_votes_counted")),
        sa.CheckConstraint("born_seq >= 1", name=op.f("ck_playbook_bullets_born_by_entry")),
    )
    op.execute("INSERT INTO playbook_bullets_new SELECT domain_id, id, content, section, stage, helpful_count,"
               " harmful_count, origin, born_seq, created_at FROM playbook_bullets")  # fmt: skip
    op.drop_table("playbook_bullets")
    op.rename_table("playbook_bullets_new", "playbook_bullets")
    op.create_index("idx_playbook_bullets_domain_stage", "playbook_bullets", ["domain_id", "stage"])
    op.create_index("idx_playbook_bullets_domain_born", "playbook_bullets", ["domain_id", "born_seq"])
    op.create_index("idx_playbook_bullets_section", "playbook_bullets", ["section"], sqlite_where=SECTIONED)
