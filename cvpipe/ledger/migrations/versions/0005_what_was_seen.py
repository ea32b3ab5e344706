"""What the pictures tell of each site's life, what waits for a reviewer, and samples of checked sites.

Sites that are there have no such columns filled until a run, or a decision on them, settles where they stand.
"""

from __future__ import annotations

import sqlalchemy as sa

from cvpipe.ledger.columns import Instant, Json
from cvpipe.ledger.migrations.building import (
    add_columns,
    add_index,
    create_table_on_both,
    forbid_rewriting,
    register,
)

revision = "0005_what_was_seen"
down_revision = "0004_stac_of_scenes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _widen()
    _create_sightings()
    _create_samples()
    for table in ("sightings", "samples", "sample_results"):
        forbid_rewriting(table)
    register("sightings", "What the pictures tell of each site's life, stage by stage, append-only")
    register("samples", "Sites drawn at random to be checked, with frame and strata, append-only")
    register("sample_results", "What inspectors found at the sites of samples, append-only")


def _widen() -> None:
    add_columns(
        "sites",
        sa.Column("observed_rung", sa.Text),
        sa.Column("observed_since", sa.Date),
        sa.Column("observed_not_yet_on", sa.Date),
        sa.Column("observed_greening", sa.Text),
        sa.Column("observed_greening_on", sa.Date),
        sa.Column("rebounds", sa.Integer),
        sa.Column("rebound_since", sa.Date),
        sa.Column("rebound_m2", sa.Double),
        sa.Column("recheck_due", sa.Date),
        sa.Column("review_reason", sa.Text),
        sa.Column("review_questions", Json),
        sa.Column("review_priority", sa.Double),
        sa.Column("review_assessment", sa.Integer),
        sa.Column("settled_row", sa.Integer),
        sa.Column("settled_rules", sa.Text),
    )
    add_index("sites", "review_priority")
    add_columns("moves", sa.Column("effective", sa.Date))


def _create_sightings() -> None:
    create_table_on_both(
        "sightings",
        *_site_code("sightings"),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("stage", "rung")),
        sa.Column("first_seen", sa.Date, nullable=False),
        *(sa.Column(name, sa.Date) for name in ("not_yet_on", "confirmed_on")),
        sa.Column("area_m2", sa.Double),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
        sa.Column("at", Instant, nullable=False),
    )
    add_index("sightings", "site_code")


def _create_samples() -> None:
    create_table_on_both(
        "samples",
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("seed", "per_stratum")),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        *(sa.Column(name, Json, nullable=False) for name in ("strata", "units", "size_limits_m2")),
    )
    create_table_on_both(
        "sample_results",
        sa.Column("sample_id", sa.Integer, nullable=False),
        *_site_code("sample_results"),
        sa.Column("checked_on", sa.Date, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        *(sa.Column(name, Json, nullable=False) for name in ("outcomes", "areas_m2")),
        sa.Column("note", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["sample_id"], ["samples.id"], name="fk_sample_results_sample_id"),
    )
    add_index("sample_results", "sample_id")
    add_index("sample_results", "site_code")


def _site_code(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    key = sa.ForeignKeyConstraint(["site_code"], ["sites.code"], name=f"fk_{table}_site_code")
    return sa.Column("site_code", sa.Text, nullable=False), key
