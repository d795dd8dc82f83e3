"""What the service keeps: reported episodes, API keys, shared secrets, leases, and how old the code may be.

And an index by age, so that bullets can be listed a page at a time.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = ("episodes", "api_keys", "server_secrets", "leases", "schema_floor")


def upgrade() -> None:
    create_episodes()
    create_keys_and_secrets()
    create_leases()
    floor = op.create_table(
        "schema_floor",
        sa.Column("revision", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_schema_floor")),
    )
    op.bulk_insert(floor, [{"revision": "0002"}])
    op.create_index("idx_playbook_bullets_domain_born", "playbook_bullets", ["domain_id", "born_seq"])


def downgrade() -> None:
    op.drop_index("idx_playbook_bullets_domain_born", "playbook_bullets")
    for table in reversed(TABLES):
        op.drop_table(table)


def create_episodes() -> None:
    op.create_table(
        "episodes",
        sa.Column("domain_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("request_hash", sa.String(128), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("owner", sa.String(200)),
        sa.Column("reported_at", sa.Double, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("domain_id", "id", name=op.f("pk_episodes")),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.domain_id"], name=op.f("fk_episodes_domains")),
        sa.CheckConstraint("state IN ('queued', 'leased', 'done', 'dead')", name=op.f("ck_episodes_state_known")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_episodes_attempts_counted")),
    )
    op.create_index("idx_episodes_state_due", "episodes", ["state", "due_at"])


def create_keys_and_secrets() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("domains", sa.Text),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.CheckConstraint("role IN ('read', 'write', 'review', 'admin')", name=op.f("ck_api_keys_role_known")),
        sa.CheckConstraint("length(secret_hash) = 64", name=op.f("ck_api_keys_hash_whole")),
    )
    op.create_table(
        "server_secrets",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_server_secrets")),
    )


def create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
