"""Tasks that workers do for a run: the queue that spreads learning and training over machines.

Nothing here is pgvector's: its table is an index, made by the first process that is told to search with it. On the way
down it has to go, for it leans on `bullet_vectors`; that process makes it anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

KNOWN = "state IN ('queued', 'leased', 'done', 'dead')"
PGVECTOR = (
    "DROP TABLE IF EXISTS bullet_embeddings",
    "DROP TRIGGER IF EXISTS bullet_vectors_embed ON bullet_vectors",
    "DROP FUNCTION IF EXISTS ace_embed",
    "DROP FUNCTION IF EXISTS ace_halfvec",
)


def upgrade() -> None:
    op.create_table(
        "assignments",
        sa.Column("domain_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("owner", sa.String(200)),
        sa.Column("reported_at", sa.Double, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("domain_id", "id", name=op.f("pk_assignments")),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.domain_id"], name=op.f("fk_assignments_domains")),
        sa.CheckConstraint(KNOWN, name=op.f("ck_assignments_state_known")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_assignments_attempts_counted")),
    )
    op.create_index("idx_assignments_state_due", "assignments", ["state", "due_at"])
    op.create_index("idx_assignments_run", "assignments", ["domain_id", "run_id", "state"])


def downgrade() -> None:
    op.drop_table("assignments")
    if op.get_context().dialect.name == "postgresql":
        for words in PGVECTOR:
            op.execute(words)
