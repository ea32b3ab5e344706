"""The head of the audit chain, by which rows cut off at its end are missed; the styles of layers; sites by place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cvpipe.ledger import styles
from cvpipe.ledger.migrations.building import create_table_on_both, index_by_place, on_postgres, register

revision = "0002_chain_head_and_styles"
down_revision = "0001_first_ledger"
branch_labels = None
depends_on = None

_GENESIS = "0" * 64


def upgrade() -> None:
    create_table_on_both(
        "audit_head",
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        autoincrement=False,
    )
    _note_the_present_end()
    op.drop_index("ix_sites_min_x_max_x_min_y_max_y", "sites")
    index_by_place("sites")
    styles.create_table(op.get_bind())
    if not on_postgres():
        register("layer_styles", "How QGIS draws the layers")
    styles.write(op.get_bind())


def _note_the_present_end() -> None:
    connection = op.get_bind()
    last = connection.execute(sa.text("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")).first()
    rows, last_hash = (0, _GENESIS) if last is None else last
    statement = sa.text("INSERT INTO audit_head (id, rows, hash) VALUES (1, :rows, :hash)")
    connection.execute(statement, {"rows": rows, "hash": last_hash})
