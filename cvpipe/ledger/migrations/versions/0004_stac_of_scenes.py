"""Scenes as STAC items. Those that are there have none until they are added again."""

from __future__ import annotations

import sqlalchemy as sa

from cvpipe.ledger.columns import Json
from cvpipe.ledger.migrations.building import add_columns

revision = "0004_stac_of_scenes"
down_revision = "0003_life_of_a_site"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_columns("scenes", sa.Column("stac", Json))
