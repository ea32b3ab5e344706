"""The further scenes of an epoch that lies across several: content hashes, best first. Null where one is enough."""

from __future__ import annotations

import sqlalchemy as sa

from cvpipe.ledger.columns import Json
from cvpipe.ledger.migrations.building import add_columns

revision = "0007_mosaicked_epochs"
down_revision = "0006_review"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_columns("assessments", sa.Column("before_fill", Json), sa.Column("after_fill", Json))
