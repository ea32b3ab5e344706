"""In which order sites were settled: whoever keeps sites in memory reads again what was settled since they last did."""

from __future__ import annotations

import sqlalchemy as sa

from cvpipe.ledger.migrations.building import add_columns, add_index

revision = "0008_order_of_settling"
down_revision = "0007_mosaicked_epochs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_columns("sites", sa.Column("settled_number", sa.Integer))
    add_index("sites", "settled_number")
