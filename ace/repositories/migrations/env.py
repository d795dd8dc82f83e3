"""Runs migrations on the database the settings name, or on the one `ace.repositories.schema` hands in.

Everything goes through `schema.migrate`: one transaction, which waits a short time for each lock and then tries again.
"""

from __future__ import annotations

import logging
import sys

from alembic import context
from sqlalchemy import Connection

from ace.repositories import schema, tables
from ace.repositories.database import get_database


def run(connection: Connection) -> None:
    """The migrations asked for, in the transaction this connection is in."""
    context.configure(connection=connection, target_metadata=tables.metadata, render_as_batch=True)
    context.run_migrations()


def print_sql(url: str) -> None:
    """`--sql`: write what would be done, and do nothing."""
    context.configure(url=url, target_metadata=tables.metadata, literal_binds=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


if context.config.config_file_name is not None:  # the `alembic` command: it says on stderr what it does
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)

database = context.config.attributes.get("database") or get_database()
if context.is_offline_mode():
    print_sql(database.url.render_as_string(hide_password=False))
else:
    schema.migrate(database, run)
