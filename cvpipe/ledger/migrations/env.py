"""How Alembic runs a migration here: on the connection it is handed, one transaction per step."""

from __future__ import annotations

from alembic import context

from cvpipe.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
    transactional_ddl=True,  # SQLite can roll its DDL back, though Alembic assumes the contrary
)
with context.begin_transaction():
    context.run_migrations()
